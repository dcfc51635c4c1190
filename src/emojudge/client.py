"""A client of `emojudge serve` with the face of a `Recognizer`; it needs nothing but the standard library."""

import io
import json
import os
import ssl
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote, urlsplit

import numpy as np
import soundfile
from numpy.typing import NDArray

from emojudge.ahead import mapped
from emojudge.audio.decode import SAMPLE_RATE, Audio, Samples, decode
from emojudge.errors import AudioError, EmojudgeError, ServerError
from emojudge.records import Failure, Prediction, Timeline, Transcript, Utterance, Verdict

Input = Utterance | tuple[Utterance, Audio]

SECONDS = 120.0  # to wait for an answer
TRIES = 8  # of a request that the server has no room for
LONGEST_WAIT = 30.0  # seconds before the next try, whatever the server says
AT_ONCE = 8  # requests under way
LOOK = 0.5  # seconds between two looks at a job
TOKEN_VARIABLE = "EMOJUDGE_TOKEN"


class Client:
    """Predictions by a server, as a `Recognizer` gives them.

    Args:
        url: of the server, such as "http://127.0.0.1:8765".
        token: the server's, if it wants one; without, what EMOJUDGE_TOKEN has.

    Raises:
        ServerError: it is no address.
    """

    def __init__(self, url: str, token: str | None = None) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ServerError(url, found="no address", expected="such as http://127.0.0.1:8765")
        self.url = url.rstrip("/")
        self._parts = parts
        self._token = token or os.environ.get(TOKEN_VARIABLE)

    def __call__(
        self,
        source: str | Path | bytes | NDArray[np.generic],
        *,
        transcript: str | Transcript | None = None,
        rate: int | None = None,
    ) -> Prediction:
        """The prediction for one recording: a path, a file's bytes, or an array with its `rate` in Hz.

        Raises:
            ServerError: the server cannot be reached, or refuses the recording.
            AudioError: the file cannot be read, or was given a rate.
        """
        words = transcript.text if isinstance(transcript, Transcript) else transcript
        if isinstance(source, np.ndarray):
            source = _wav(decode(source, rate=rate).samples)
        elif rate is not None:
            raise AudioError("rate", found=f"rate={rate}", expected="no rate: files state their own")
        if isinstance(source, bytes):
            return self._predicted("audio", io.BytesIO(source), words)
        with _opened(Path(source)) as file:
            return self._predicted(str(source), file, words)

    def predict(
        self, utterances: Iterable[Input], *, adapt_to: str | None = None
    ) -> Iterator[Prediction | Failure]:
        """Predictions in the order of the utterances; a `Failure` stands where one could not be used.

        Several are under way at a time, so that the server can put them into batches.

        Raises:
            ServerError: the server cannot be reached, or refuses the token; or `adapt_to`, which needs all
                recordings at one place.
        """
        if adapt_to is not None:
            raise ServerError(self.url, found=f"adapt_to={adapt_to!r}", expected="none, by a server")
        yield from mapped(self._one, utterances, workers=AT_ONCE, most=2 * AT_ONCE + 1)

    def timeline(self, path: str | Path, *, judge: bool = False) -> Timeline:
        """The timeline of a recording of any length: a job, waited for and then deleted from the server.

        Raises:
            ServerError: the server cannot be reached, refuses the recording, or failed at it.
        """
        with _opened(Path(path)) as file:
            job = self._ask("POST", f"/v1/jobs?judge={str(judge).lower()}", _Form(Path(path).name, file))
        place = f"/v1/jobs/{job['id']}"
        try:
            while job["state"] in ("queued", "running"):
                time.sleep(LOOK)
                job = self._ask("GET", place)
            if job["state"] != "done":
                raise ServerError(
                    path, found=f"a job that is {job['state']}: {job['error']}", expected="a timeline"
                )
            return Timeline.model_validate(job["timeline"]).model_copy(update={"id": str(path)})
        finally:
            self._ask("DELETE", place)

    def judge(self, prediction: Prediction) -> Verdict:
        """The verdict of the server's judge.

        Raises:
            ServerError: the server cannot be reached, or has no judge.
        """
        body = prediction.model_dump_json().encode()
        return Verdict.model_validate(self._ask("POST", "/v1/judge", body))

    def models(self) -> dict[str, Any]:
        """What the server runs."""
        found: dict[str, Any] = self._ask("GET", "/v1/models")
        return found

    def _one(self, item: Input) -> Prediction | Failure:
        utterance, audio = item if isinstance(item, tuple) else (item, None)
        words = utterance.transcript.text if utterance.transcript else None
        try:
            if audio is not None:
                found = self._predicted(utterance.id, io.BytesIO(_wav(audio.samples)), words)
            elif utterance.audio is not None:
                with _opened(utterance.audio) as file:
                    found = self._predicted(utterance.id, file, words)
            else:
                found = self._predicted(utterance.id, None, words)
        except EmojudgeError as error:
            if isinstance(error, ServerError) and error.status in (None, 401):  # no utterance's fault
                raise
            return Failure(id=utterance.id, error=str(error))
        if utterance.transcript is not None:  # with its times, which were not sent
            found = found.model_copy(update={"transcript": utterance.transcript})
        return found

    def _predicted(self, name: str, file: IO[bytes] | None, words: str | None) -> Prediction:
        if file is None and not (words or "").strip():
            raise ServerError(name, found="neither audio nor words", expected="at least one", status=422)
        form = _Form(Path(name).name, file, {"transcript": words} if words is not None else {})
        answer = self._ask("POST", "/v1/predict", form, where=name)
        return Prediction.model_validate(answer["results"][0]).model_copy(update={"id": name})

    def _ask(self, method: str, path: str, body: "bytes | _Form | None" = None, where: str = "") -> Any:
        """The answer's JSON, after as many tries as the server asks for."""
        for tries in range(TRIES, 0, -1):
            status, headers, content = self._exchange(method, path, body)
            if status != 429 or tries == 1:
                break
            time.sleep(min(float(headers.get("retry-after", 1)), LONGEST_WAIT))
        try:
            answer = json.loads(content) if content else None
        except ValueError:
            answer = None
        if 200 <= status < 300:
            return answer
        told = answer if isinstance(answer, dict) else {}
        raise ServerError(
            where or f"{self.url}{path}",
            found=str(told.get("found", f"status {status}")),
            expected=str(told.get("expected", "an answer")),
            advice=str(told.get("advice") or ""),
            status=status,
        )

    def _exchange(
        self, method: str, path: str, body: "bytes | _Form | None"
    ) -> tuple[int, Mapping[str, str], bytes]:
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        sent: Any = body
        if isinstance(body, _Form):
            headers |= {"Content-Type": body.media_type, "Content-Length": str(body.length)}
            sent = body.pieces()
        elif body is not None:
            headers["Content-Type"] = "application/json"
        connection = self._connection()
        try:
            try:
                connection.request(method, quote(self._parts.path.rstrip("/")) + path, sent, headers)
            except (BrokenPipeError, ConnectionResetError):
                if connection.sock is None:
                    raise  # else it answered before it had heard everything: too large, no room
            answer: HTTPResponse = connection.getresponse()
            return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
        except (OSError, HTTPException) as error:
            raise ServerError(
                self.url,
                found=f"no answer ({error or type(error).__name__})",
                expected="a server",
                advice="Does it run?",
            ) from None
        finally:
            connection.close()

    def _connection(self) -> HTTPConnection:
        host = self._parts.hostname or ""
        if self._parts.scheme == "https":
            return HTTPSConnection(
                host, self._parts.port, timeout=SECONDS, context=ssl.create_default_context()
            )
        return HTTPConnection(host, self._parts.port, timeout=SECONDS)


@dataclass
class _Form:
    """A form with at most one file, sent piece by piece, as often as is needed."""

    name: str
    file: IO[bytes] | None
    fields: Mapping[str, str] | None = None

    def __post_init__(self) -> None:
        self._boundary = uuid.uuid4().hex
        parts = [
            f'--{self._boundary}\r\nContent-Disposition: form-data; name="{field}"\r\n\r\n{value}\r\n'
            for field, value in (self.fields or {}).items()
        ]
        if self.file is not None:
            name = self.name.encode("ascii", "replace").decode().replace('"', "'").replace("\\", "_")
            name = "".join(c if c.isprintable() else "_" for c in name)
            parts.append(
                f"--{self._boundary}\r\nContent-Disposition: form-data; "
                f'name="file"; filename="{name or "audio"}"\r\n\r\n'
            )
        self._head = "".join(parts).encode()
        self._tail = f"{'' if self.file is None else chr(13) + chr(10)}--{self._boundary}--\r\n".encode()
        size = 0 if self.file is None else self.file.seek(0, os.SEEK_END)
        self.length = len(self._head) + size + len(self._tail)
        self.media_type = f"multipart/form-data; boundary={self._boundary}"

    def pieces(self) -> Iterator[bytes]:
        """The body."""
        yield self._head
        if self.file is not None:
            self.file.seek(0)
            while piece := self.file.read(2**16):
                yield piece
        yield self._tail


def _opened(path: Path) -> IO[bytes]:
    try:
        return path.open("rb")
    except OSError as error:
        raise AudioError(path, found=error.strerror or str(error), expected="an audio file") from None


def _wav(samples: Samples) -> bytes:
    """Samples `(samples,)`, mono at 16 kHz, as a file that loses nothing."""
    file = io.BytesIO()
    soundfile.write(file, samples, SAMPLE_RATE, format="WAV", subtype="FLOAT")
    return file.getvalue()
