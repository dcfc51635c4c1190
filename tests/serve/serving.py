"""A real server for the tests: a child process of `emojudge serve`, and what to send it."""

import contextlib
import io
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

SPEECH = Path(__file__).parents[2] / "examples" / "two_voices.flac"
MAIN = "from emojudge.cli.main import main; main()"


@dataclass
class Answer:
    """What a server answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Server:
    """A running `emojudge serve`."""

    process: "subprocess.Popen[str]"
    port: int
    data: Path
    said: list[str] = field(default_factory=list)  # on stderr

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """One request on a connection of its own; a dict as JSON."""
        told = dict(headers or {})
        if isinstance(body, dict):
            body, told["Content-Type"] = json.dumps(body), "application/json"
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        with contextlib.closing(connection):
            connection.request(method, path, body, told)
            answer = connection.getresponse()
            return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())

    def upload(
        self,
        path: str,
        *files: tuple[str, bytes],
        fields: tuple[tuple[str, str], ...] = (),
        names: tuple[str, ...] = (),
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """A form with files and text fields; the files' fields are `file` unless they have `names`."""
        body, kind = form(*files, fields=fields, names=names)
        return self.ask("POST", path, body, {"Content-Type": kind, **(headers or {})})

    def job_when(self, job: str, states: tuple[str, ...] = ("done",), seconds: float = 60.0) -> Any:
        """The job when it has come to one of the states."""
        end = time.monotonic() + seconds
        while True:
            found = self.ask("GET", f"/v1/jobs/{job}").json
            if found["state"] in states:
                return found
            assert time.monotonic() < end, found
            assert found["state"] in ("queued", "running"), found
            time.sleep(0.1)

    def memory(self) -> int:
        """Resident bytes of the server's process."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) * 1024  # type: ignore[index]

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


@contextlib.contextmanager
def served(data: Path, *options: str, token: str | None = None) -> Iterator[Server]:
    """A server with these options on a free port, ended afterwards."""
    environment = {name: value for name, value in os.environ.items() if name != "EMOJUDGE_TOKEN"}
    environment |= {"OMP_NUM_THREADS": "1"} | ({"EMOJUDGE_TOKEN": token} if token else {})
    command = [sys.executable, "-c", MAIN, "serve", "--port", "0", "--asr", "none", "--data-dir", str(data)]
    process = subprocess.Popen(
        [*command, *options], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, env=environment
    )
    server = Server(process, 0, data)
    try:
        assert process.stderr is not None
        for line in process.stderr:
            server.said.append(line)
            if found := re.search(r"serving on http://\S+:(\d+)", line):
                server.port = int(found[1])
                break
        else:
            raise AssertionError(f"the server ended: {''.join(server.said)}")
        threading.Thread(target=lambda: server.said.extend(process.stderr), daemon=True).start()
        yield server
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def form(
    *files: tuple[str, bytes], fields: tuple[tuple[str, str], ...] = (), names: tuple[str, ...] = ()
) -> tuple[bytes, str]:
    """A form's body and content type; a file's field is `file` unless it has a name."""
    boundary = b"----of-the-tests"
    parts = [
        b'Content-Disposition: form-data; name="%s"; filename="%s"\r\n\r\n%s'
        % (field.encode(), name.encode(), content)
        for (name, content), field in zip(files, names or ("file",) * len(files), strict=True)
    ]
    parts += [
        b'Content-Disposition: form-data; name="%s"\r\n\r\n%s' % (name.encode(), value.encode())
        for name, value in fields
    ]
    body = b"".join(b"--" + boundary + b"\r\n" + part + b"\r\n" for part in parts)
    return body + b"--" + boundary + b"--\r\n", f"multipart/form-data; boundary={boundary.decode()}"


def voice(seconds: float = 1.5, seed: int = 0, rate: int = 16_000) -> np.ndarray:
    """Something like a voice `(samples,)`: harmonics under a slow envelope, and breath."""
    generator = np.random.default_rng(seed)
    times = np.arange(int(seconds * rate)) / rate
    pitch = 110 * (1 + seed % 5 / 4) * (1 + 0.1 * np.sin(2 * np.pi * 0.7 * times))
    phase = 2 * np.pi * np.cumsum(pitch) / rate
    harmonics = sum(np.sin(n * phase) / n for n in range(1, 12))
    envelope = 0.55 + 0.45 * np.sin(2 * np.pi * 3 * times + seed)
    return (0.15 * harmonics * envelope + 0.005 * generator.normal(size=len(times))).astype(np.float32)


def speech(seconds: float, seed: int = 0) -> np.ndarray:
    """Real speech `(samples,)` at 16 kHz, in stretches with pauses: a detector of voices hears no tones."""
    spoken, rate = soundfile.read(SPEECH, dtype="float32")
    assert rate == 16_000
    pause = np.zeros(rate // 2, dtype=np.float32)
    once = np.roll(np.concatenate([pause, spoken, pause]), seed * rate // 4)
    return np.resize(once, int(seconds * rate))


def wav(samples: np.ndarray, rate: int = 16_000, subtype: str = "FLOAT") -> bytes:
    """Samples as a WAV file."""
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format="WAV", subtype=subtype)
    return file.getvalue()


def webm(samples: np.ndarray, rate: int = 48_000) -> bytes:
    """Samples at `rate` Hz as a browser's recorder sends them: Opus in WebM."""
    import av

    file = io.BytesIO()
    with av.open(file, "w", format="webm") as container:
        stream: Any = container.add_stream("libopus", rate=rate)
        stream.layout = "mono"
        values = (samples * 32_767).astype(np.int16)
        for start in range(0, len(values), 960):
            frame = av.AudioFrame.from_ndarray(values[None, start : start + 960], format="s16", layout="mono")
            frame.sample_rate, frame.pts = rate, start
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()
