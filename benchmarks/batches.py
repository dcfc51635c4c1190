"""Batches against a real server, with kills: python -m benchmarks.batches [--python PYTHON] [--folder DIR]

OGX (which needs Python 3.12, and gets an environment of its own) serves the Batch API in front of llama.cpp
with SmolLM2. First trial: 200 requests, a tenth of which no model could answer, and a client that is killed
three times. Second trial: the server is killed in mid-batch, and its batch stays in progress for ever. A
proxy between OGX and llama.cpp counts how often each request reached the model. Exit status 1 if anything was
lost or, in the first trial, asked twice. What came out is kept in benchmarks/results/batches.json.
"""

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from benchmarks.keeping import keep
from emojudge.judge.exchange import Message, Request, Sampling
from emojudge.judge.providers import Settings, load_provider
from emojudge.judge.providers.batch import Batches, Limits
from emojudge.judge.providers.get import get_model
from emojudge.judge.providers.openai import Chat
from emojudge.judge.providers.store import SqliteStore

OGX = "ogx==1.5.0"
SHARD = 80  # lines of a batch, so that 200 requests take three
CONTEXT = 2_048  # tokens of a slot; a bad request has more
WAIT = 1_800.0  # seconds for anything
LETTERS = ("A", "S", "H", "U", "F", "D", "C", "N")

CONFIG = """
version: 2
distro_name: trial
apis: [batches, files, inference]
providers:
  inference:
  - provider_id: llama
    provider_type: remote::vllm
    config: {{base_url: "{model_url}", api_token: none}}
  files:
  - provider_id: files
    provider_type: inline::localfs
    config: {{storage_dir: "{folder}/files", metadata_store: {{table_name: files, backend: sql_default}}}}
  batches:
  - provider_id: reference
    provider_type: inline::reference
    config:
      sqlstore: {{table_name: batches, backend: sql_default}}
      max_concurrent_requests_per_batch: 4
storage:
  backends:
    kv_default: {{type: kv_sqlite, db_path: "{folder}/kv.db"}}
    sql_default: {{type: sql_sqlite, db_path: "{folder}/sql.db"}}
  stores:
    metadata: {{namespace: registry, backend: kv_default}}
    inference: {{table_name: inference, backend: sql_default}}
    conversations: {{table_name: conversations, backend: sql_default}}
    prompts: {{table_name: prompts, backend: sql_default}}
    connectors: {{table_name: connectors, backend: sql_default}}
registered_resources:
  models: [{{model_id: smollm2, provider_id: llama, provider_model_id: smollm2, model_type: llm}}]
server: {{host: 127.0.0.1, port: {port}}}
"""


def requests_of(name: str, count: int) -> list[Request]:
    """So many requests; every tenth is longer than the model's context."""
    return [
        Request(
            key=f"{name}-{i}",
            messages=(Message("user", f"[{name}-{i}] I won {i} euros! " + "word " * 3_000 * (i % 10 == 9)),),
            letters=LETTERS,
            sampling=Sampling(temperature=0.3, max_tokens=8, seed=i),
        )
        for i in range(count)
    ]


class Counting:
    """A proxy that counts which requests pass it."""

    def __init__(self, target: str) -> None:
        self.passed: Counter[str] = Counter()
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0)) or None
                if body and self.path.endswith("/chat/completions"):
                    owner.passed[json.loads(body)["messages"][0]["content"].split("]")[0][1:]] += 1
                asked = urllib.request.Request(target + self.path, body, {"Content-Type": "application/json"})
                asked.method = self.command
                try:
                    with urllib.request.urlopen(asked, timeout=WAIT) as response:
                        status, got = response.status, response.read()
                except urllib.error.HTTPError as error:
                    status, got = error.code, error.read()
                except OSError as error:
                    status, got = 502, json.dumps({"error": {"message": str(error)}}).encode()
                with suppress(ConnectionError):  # OGX was killed meanwhile
                    self.send_response(status)
                    self.send_header("Content-Type", "application/json")
                    self.send_header("Content-Length", str(len(got)))
                    self.end_headers()
                    self.wfile.write(got)

            do_GET = do_POST

            def log_message(self, *args: object) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        threading.Thread(target=self._http.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"


def serve_model(path: str, port: int) -> None:
    """llama.cpp's HTTP server, until killed."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path, params.model_alias = path, {"smollm2"}
    params.n_parallel, params.n_ctx = 2, 2 * CONTEXT
    params.cpuparams.n_threads, params.verbosity, params.ui = 1, -1, False
    params.hostnames, params.port = ["127.0.0.1"], port
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    signal.pause()


def run_client(url: str, store: str, name: str, count: int, stall: float, output: str) -> None:
    """Ask in batches, and write the answers."""
    provider = load_provider(f"{url}#llama/smollm2", Settings(timeout=60.0, retries=2))
    assert isinstance(provider, Chat)
    limits = Limits(lines=SHARD, poll=0.5, stall=stall)
    answers = Batches(provider, SqliteStore(store), limits).ask_all(requests_of(name, count))
    Path(output).write_text(json.dumps([asdict(answer) for answer in answers]), encoding="utf-8")


class Trial:
    """The servers, and what is done to them."""

    def __init__(self, folder: Path, python: str) -> None:
        self.folder = folder
        self.ogx = folder / "ogx-env" / "bin" / "ogx"
        if not self.ogx.exists():
            print(f"An environment for {OGX} …", flush=True)
            subprocess.run([python, "-m", "venv", folder / "ogx-env"], check=True)
            subprocess.run([self.ogx.parent / "pip", "install", "--quiet", OGX], check=True)
        self.state = Path(tempfile.mkdtemp(dir=folder))
        port = free_port()
        self.model = self.start(sys.executable, "-m", __spec__.name, "model", get_model("smollm2"), str(port))
        until(lambda: fetch(f"http://127.0.0.1:{port}/v1/models"), "the model")
        self.proxy = Counting(f"http://127.0.0.1:{port}")
        self.port = free_port()
        config = CONFIG.format(model_url=f"{self.proxy.url}/v1", folder=self.state, port=self.port)
        (self.state / "ogx.yaml").write_text(config, encoding="utf-8")
        self.start_server()

    def start(self, *command: Any) -> subprocess.Popen[bytes]:
        log = (self.state / "log.txt").open("ab")
        environment = os.environ | {"HOME": str(self.state)}
        environment.setdefault("XDG_CACHE_HOME", str(Path.home() / ".cache"))
        return subprocess.Popen([str(c) for c in command], stdout=log, stderr=log, env=environment)

    def start_server(self) -> None:
        config = self.state / "ogx.yaml"
        self.server = self.start(self.ogx, "run", config, "--port", str(self.port), "--insecure")
        until(lambda: fetch(f"{self.url}/models"), "OGX")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def batches(self) -> list[dict[str, Any]]:
        return list(fetch(f"{self.url}/batches?limit=100")["data"])

    def finished(self) -> int:
        """Lines that the batches have behind them."""
        counts = [batch.get("request_counts") or {} for batch in self.batches()]
        return sum(count.get("completed", 0) + count.get("failed", 0) for count in counts)

    def client(self, name: str, count: int, stall: float) -> subprocess.Popen[bytes]:
        arguments = ("client", self.url, self.state / f"{name}.sqlite", name, count, stall)
        return self.start(sys.executable, "-m", __spec__.name, *arguments, self.state / f"{name}.json")

    def answers(self, name: str) -> list[dict[str, Any]]:
        return list(json.loads((self.state / f"{name}.json").read_text(encoding="utf-8")))

    def close(self) -> None:
        for process in (self.server, self.model):
            process.kill()
            process.wait()


def killed_client(trial: Trial, count: int) -> dict[str, Any]:
    """Kill the client when its first batch appears, then after a tenth, then after half."""
    before = len(trial.batches())
    for kill, ready in enumerate((lambda: len(trial.batches()) > before, None, None)):
        client = trial.client("client", count, 3_600.0)
        share = (0, count // 10, count // 2)[kill]
        until(ready or (lambda share=share: trial.finished() >= share), f"kill {kill + 1}", client)
        client.kill()
        client.wait()
        print(f"  client killed after {trial.finished()} of {count} lines", flush=True)
    client = trial.client("client", count, 3_600.0)
    client.wait(WAIT)
    return report(trial, "client", count, twice=False)


def killed_server(trial: Trial, count: int) -> dict[str, Any]:
    """Kill the server in mid-batch and start it again."""
    before = trial.finished()
    client = trial.client("server", count, 15.0)
    until(lambda: trial.finished() >= before + count // 4, "progress", client)
    trial.server.kill()
    trial.server.wait()
    print("  server killed, started again", flush=True)
    trial.start_server()
    client.wait(WAIT)
    return report(trial, "server", count, twice=True)


def report(trial: Trial, name: str, count: int, *, twice: bool) -> dict[str, Any]:
    answers = trial.answers(name)
    good = [answer for answer in answers if answer["texts"]]
    failed = [answer for answer in answers if answer["error"]]
    passed = {key: n for key, n in trial.proxy.passed.items() if key.startswith(name)}
    again = sum(n > 1 for n in passed.values())
    mine = [batch for batch in trial.batches() if batch["metadata"]]
    print(
        f"  answers {len(answers)}, with a text {len(good)}, failed {len(failed)}: {failed[0]['error'][:90]}"
    )
    print(f"  requests that reached the model {len(passed)}, more than once {again}")
    print(f"  the server's batches so far: {dict(Counter(batch['status'] for batch in mine))}", flush=True)
    expected = [f"{name}-{i}" for i in range(count)]
    bad = {f"{name}-{i}" for i in range(count) if i % 10 == 9}
    whole = [answer["key"] for answer in answers] == expected and {answer["key"] for answer in failed} == bad
    return {
        "requests": count,
        "answers": len(answers),
        "with_text": len(good),
        "failed": len(failed),
        "reached_the_model": len(passed),
        "more_than_once": again,
        "passed": whole and passed.keys() == set(expected) and (twice or again == 0),
    }


def until(ready: Callable[[], Any], what: str, process: subprocess.Popen[bytes] | None = None) -> None:
    end = time.monotonic() + WAIT
    while time.monotonic() < end:
        if process is not None and process.poll() is not None:
            raise SystemExit(f"{what}: the client ended too early, with {process.returncode}")
        try:
            if ready():
                return
        except OSError:
            pass
        time.sleep(0.2)
    raise SystemExit(f"{what}: not after {WAIT:g} s")


def fetch(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=60.0) as response:
        return json.loads(response.read())


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", default="python3.12", help="a Python ≥ 3.12 for OGX")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "emojudge-batches")
    parser.add_argument("--requests", type=int, default=200)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    trial = Trial(options.folder.absolute(), options.python)
    try:
        print(f"{options.requests} requests, client killed three times", flush=True)
        first = killed_client(trial, options.requests)
        print("40 requests, server killed in mid-batch", flush=True)
        second = killed_server(trial, 40)
    finally:
        trial.close()
    keep("batches", {"server": OGX, "killed_client": first, "killed_server": second})
    passed = first["passed"] and second["passed"]
    print("passed" if passed else "FAILED")
    return 0 if passed else 1


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["model", path, port]:
            serve_model(path, int(port))
        case ["client", url, store, name, count, stall, output]:
            run_client(url, store, name, int(count), float(stall), output)
        case _:
            sys.exit(main())
