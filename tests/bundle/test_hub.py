"""Bundles by their name on the Hub: a server here speaks as much of its language as fetching needs."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from emojudge.bundle.format import Bundle
from emojudge.errors import BundleError
from emojudge.records import Prediction

COMMIT = "0123456789" * 4


@dataclass
class Hub:
    """Repositories in memory: their files by `ORG/NAME` and name."""

    address: str = ""
    files: dict[tuple[str, str], bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)  # names of files, and revisions

    def add(self, repository: str, folder: Path) -> None:
        self.files |= {(repository, path.name): path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def hub() -> Iterator[Hub]:
    """It answers as the Hub does: with the commit, a hash, and a reason for what it has not."""
    served = Hub()

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.answer(body=False)

        def do_GET(self) -> None:
            self.answer(body=True)

        def answer(self, body: bool) -> None:
            repository, _, rest = self.path[1:].partition("/resolve/")
            revision, _, name = rest.partition("/")
            content = served.files.get((repository, name))
            known = any(repository == each for each, _ in served.files)
            served.asked.append(f"{name}@{revision}" if name else self.path)
            self.send_response(404 if content is None else 200)
            if content is None:
                self.send_header("X-Error-Code", "EntryNotFound" if known else "RepoNotFound")
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("ETag", hashlib.sha256(content or b"").hexdigest())
            self.send_header("Content-Length", str(len(content or b"")))
            self.end_headers()
            if body and content is not None:
                self.wfile.write(content)

        def log_message(self, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        served.address = f"http://127.0.0.1:{server.server_port}"
        yield served
        server.shutdown()
        thread.join()


def predict(name: str, cache: Path, address: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """`emojudge predict` in a process of its own, which knows no other Hub than this."""
    program = "from emojudge.cli.main import main; main()"
    options = ["predict", "--text", "I am so happy", "--asr", "none", "--bundle", name]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    environment = {"HF_ENDPOINT": address, "HF_HUB_CACHE": str(cache), "HF_HUB_DISABLE_XET": "1", **variables}
    return subprocess.run(
        [sys.executable, "-c", program, *options],
        env={**inherited, **environment}, capture_output=True, text=True,
    )  # fmt: skip


def test_a_bundle_is_fetched_by_its_name_once(hub: Hub, tiny_bundle: Bundle, tmp_path: Path) -> None:
    hub.add("somebody/small", tiny_bundle.folder)
    hub.files["somebody/small", "dataset.zip"] = b"of no interest"
    first = predict("hf://somebody/small@v1", tmp_path, hub.address)
    assert first.returncode == 0, first.stderr
    assert Prediction.model_validate_json(first.stdout).bundle == tiny_bundle.manifest.name
    named = {"bundle.json@v1", *(f"{name}@{COMMIT}" for name in tiny_bundle.manifest.hashes)}
    assert set(hub.asked) == named
    hub.asked.clear()
    again = predict("hf://somebody/small@v1", tmp_path, hub.address)
    assert again.stdout == first.stdout
    assert hub.asked == ["bundle.json@v1"]  # whether the tag has moved
    offline = predict("hf://somebody/small@v1", tmp_path, hub.address, HF_HUB_OFFLINE="1")
    assert offline.stdout == first.stdout
    gone = predict("hf://somebody/small@v1", tmp_path, "http://127.0.0.1:9")
    assert gone.stdout == first.stdout


def test_what_is_not_as_its_manifest_says_is_refused(hub: Hub, tiny_bundle: Bundle, tmp_path: Path) -> None:
    hub.add("somebody/small", tiny_bundle.folder)
    hub.files["somebody/small", "acoustic.onnx"] += b"!"
    result = predict("hf://somebody/small", tmp_path, hub.address)
    assert result.returncode == 2
    assert "acoustic.onnx: found SHA-256" in result.stderr
    assert "Traceback" not in result.stderr


def test_what_is_not_there_is_one_line(hub: Hub, tiny_bundle: Bundle, tmp_path: Path) -> None:
    hub.add("somebody/small", tiny_bundle.folder)
    hub.files["somebody/other", "model.bin"] = b"no bundle"
    for name in ("hf://nobody/small", "hf://somebody/other"):
        result = predict(name, tmp_path, hub.address)
        assert result.returncode == 2
        assert f"emojudge: {name}: found " in result.stderr
        assert "expected a bundle that the Hub gives" in result.stderr
        assert "Traceback" not in result.stderr


@pytest.mark.parametrize("name", ["hf://", "hf://small", "hf://a/b/c", "hf://a/b@", "hf://../b c"])
def test_no_name_asks_nobody(name: str) -> None:
    with pytest.raises(BundleError, match="no name of the Hub"):
        Bundle.open(name)


def test_a_folder_that_is_not_there_asks_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(BundleError, match=r"a folder with bundle\.json"):
        Bundle.open("somebody/small")
