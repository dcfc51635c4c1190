"""`/v1/stream`: live audio over a WebSocket; results come as the segments of speech close.

The client's first message is JSON: the format, for PCM the rate in Hz, and the token where one is needed
and no header could be sent. Audio follows in binary messages; the text message `end` ends it. The server
answers in JSON: `ready`, a `passage` or `failure` for each segment, `alive` every few seconds, and `done`;
or `problem`.
"""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal, Protocol

import numpy as np
import soxr
from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from pydantic import Field, ValidationError

from emojudge.audio.decode import SAMPLE_RATE, Audio, Samples
from emojudge.audio.segment import Segmenter, Span
from emojudge.audio.source import MAX_RATE, MIN_RATE
from emojudge.errors import EmojudgeError
from emojudge.records import Failure, Passage, Utterance
from emojudge.serve.problems import Problem, problem_of
from emojudge.serve.schema import Body
from emojudge.serve.security import check_token
from emojudge.serve.service import Service, service_of
from emojudge.serve.settings import PATIENCE

START_SECONDS = 10.0  # to say what is coming
ALIVE = 5.0  # seconds between two signs of life
AHEAD = 4  # segments that may wait for their predictions; then nothing more is read
MESSAGE_BYTES = 2**20
CLOSE = {401: 1008, 403: 1008, 413: 1009, 429: 1013}  # WebSocket's codes (RFC 6455, section 7.4); else 1003

router = APIRouter()


class Start(Body):
    """The first message of a stream."""

    format: Literal[
        "pcm16", "webm"
    ]  # webm: whatever container with Opus or Vorbis a browser's recorder makes
    rate: Annotated[int, Field(ge=MIN_RATE, le=MAX_RATE)] = SAMPLE_RATE  # Hz, of pcm16, mono
    id: Annotated[str, Field(max_length=200)] = "stream"
    token: Annotated[str | None, Field(max_length=1_000)] = None


class Source(Protocol):
    """What turns a stream's bytes into samples."""

    async def feed(self, data: bytes) -> None:
        """Take the next bytes, when there is room for them."""
        ...

    async def finish(self) -> None:
        """There are no more."""
        ...

    def blocks(self) -> AsyncIterator[Samples]:
        """Samples `(samples,)`, mono at 16 kHz, until `finish`. Raises AudioError."""
        ...


@router.websocket("/v1/stream")
async def stream(websocket: WebSocket) -> None:
    """One live stream, from its first message to its end."""
    service = service_of(websocket)
    await websocket.accept()
    talk = _Talk(websocket)
    try:
        start = await _started(websocket, service)
        with service.stream():
            await talk.say("ready", id=start.id)
            await _Stream(websocket, talk, service, start).run()
        await websocket.close()
    except (Problem, EmojudgeError) as error:
        problem = error if isinstance(error, Problem) else problem_of(error)
        with contextlib.suppress(WebSocketDisconnect, RuntimeError):
            await talk.say("problem", problem=problem.body)
            await websocket.close(CLOSE.get(problem.status_code, 1003))
    except WebSocketDisconnect:
        pass


async def _started(websocket: WebSocket, service: Service) -> Start:
    try:
        async with asyncio.timeout(START_SECONDS):
            message = await websocket.receive()
    except TimeoutError:
        raise Problem(408, found=f"no message for {START_SECONDS:g} s", expected="a first one") from None
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect
    try:
        start = Start.model_validate_json(message.get("text") or "")
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        at = ".".join(str(part) for part in first["loc"])
        raise Problem(
            422,
            found=f"{at or 'first message'}: {first['msg']}",
            expected='JSON such as {"format": "pcm16", "rate": 16000}',
        ) from None
    if "authorization" not in websocket.headers:
        check_token(service.settings.token, start.token or "")
    return start


class _Talk:
    """Messages to the client, one at a time."""

    def __init__(self, websocket: WebSocket) -> None:
        self._websocket = websocket
        self._lock = asyncio.Lock()

    async def say(self, kind: str, **more: Any) -> None:
        async with self._lock:
            await self._websocket.send_text(json.dumps({"type": kind, **more}))


class _Stream:
    """Receiving, segmenting and predicting, each waiting for the next when that is behind."""

    def __init__(self, websocket: WebSocket, talk: _Talk, service: Service, start: Start) -> None:
        self._websocket, self._talk, self._service, self._start = websocket, talk, service, start
        self._most = service.settings.minutes * 60
        self._seconds = 0.0
        self._pieces: asyncio.Queue[tuple[Span, Samples] | None] = asyncio.Queue(AHEAD)

    async def run(self) -> None:
        with _source(self._start, self._service, self._most) as source:
            tasks = [
                asyncio.create_task(work)
                for work in (self._receive(source), self._segment(source), self._predict())
            ]
            alive = asyncio.create_task(self._say_alive())
            try:
                # The first that fails ends the others; when the last is through, all are.
                await asyncio.gather(*tasks)
            finally:
                for task in (*tasks, alive):
                    task.cancel()
                await asyncio.gather(*tasks, alive, return_exceptions=True)
        await self._talk.say("done", seconds=round(self._seconds, 3))

    async def _receive(self, source: Source) -> None:
        while True:
            try:
                async with asyncio.timeout(PATIENCE):
                    message = await self._websocket.receive()
            except TimeoutError:
                raise Problem(408, found=f"nothing for {PATIENCE:g} s", expected="audio, or end") from None
            if message["type"] == "websocket.disconnect":
                raise WebSocketDisconnect
            if (data := message.get("bytes")) is not None:
                await source.feed(data)
            elif message.get("text") == "end":
                await source.finish()
                return
            else:
                raise Problem(422, found="a text message", expected="audio in binary messages, or end")

    async def _segment(self, source: Source) -> None:
        segmenter = Segmenter()
        async for block in source.blocks():
            self._seconds += len(block) / SAMPLE_RATE
            if self._seconds > self._most:
                raise Problem(413, found=f"more than {self._most:g} s of audio", expected="a shorter stream")
            for piece in await self._service.run(segmenter.push, block):
                await self._pieces.put(piece)
        for piece in await self._service.run(segmenter.finish):
            await self._pieces.put(piece)
        await self._pieces.put(None)

    async def _predict(self) -> None:
        while (piece := await self._pieces.get()) is not None:
            span, samples = piece
            name = f"{self._start.id}#t={span.start:.3f},{span.end:.3f}"
            item = Utterance(id=name), Audio(samples, len(samples) / SAMPLE_RATE, name)
            (result,) = await self._service.batcher.predict([item])
            if isinstance(result, Failure):
                await self._talk.say("failure", failure=result.model_dump(mode="json"))
                continue
            passage = Passage(start=span.start, end=span.end, speaker=span.speaker, prediction=result)
            await self._talk.say("passage", passage=passage.model_dump(mode="json"))

    async def _say_alive(self) -> None:
        while True:
            await asyncio.sleep(ALIVE)
            await self._talk.say("alive", seconds=round(self._seconds, 3))


@contextlib.contextmanager
def _source(start: Start, service: Service, most: float) -> Any:
    if start.format == "pcm16":
        yield _Pcm(start.rate)
        return
    source = _Media(service, start.id, most)
    try:
        yield source
    finally:
        source.close()


class _Pcm:
    """16-bit little-endian PCM, mono."""

    def __init__(self, rate: int) -> None:
        self._resampler = None
        if rate != SAMPLE_RATE:
            self._resampler = soxr.ResampleStream(rate, SAMPLE_RATE, 1, dtype="float32", quality="HQ")
        self._odd = b""  # a byte whose other half is in the next message
        self._blocks: asyncio.Queue[Samples | None] = asyncio.Queue(AHEAD)

    async def feed(self, data: bytes) -> None:
        data = self._odd + data
        whole = len(data) - len(data) % 2
        self._odd = data[whole:]
        samples = np.frombuffer(data[:whole], dtype="<i2").astype(np.float32) / np.float32(32_768)
        if self._resampler is not None:
            samples = self._resampler.resample_chunk(samples)
        await self._blocks.put(samples)

    async def finish(self) -> None:
        if self._resampler is not None:
            await self._blocks.put(self._resampler.resample_chunk(np.empty(0, np.float32), last=True))
        await self._blocks.put(None)

    async def blocks(self) -> AsyncIterator[Samples]:
        while (block := await self._blocks.get()) is not None:
            if len(block):
                yield block


class _Media:
    """A container such as WebM, decoded in a process of its own as its bytes come."""

    def __init__(self, service: Service, name: str, most: float) -> None:
        self._ours, theirs = socket.socketpair()
        self._ours.setblocking(False)
        self._theirs = theirs.makefile("rb", buffering=0)
        theirs.close()
        self._loop = asyncio.get_running_loop()
        self._reading = service.decoders.live(self._theirs, name, most)  # type: ignore[arg-type]
        self._blocks: asyncio.Queue[Samples | BaseException | None] = asyncio.Queue(AHEAD)
        self._closed = False
        self._thread = self._loop.run_in_executor(service.streaming, self._read)

    async def feed(self, data: bytes) -> None:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # `blocks` says why nobody listens
            await self._loop.sock_sendall(self._ours, data)

    async def finish(self) -> None:
        self._ours.close()

    async def blocks(self) -> AsyncIterator[Samples]:
        while (block := await self._blocks.get()) is not None:
            if isinstance(block, BaseException):
                raise block
            yield block

    def close(self) -> None:
        self._closed = True
        self._ours.close()
        self._reading.stop()

    def _read(self) -> None:
        """On a thread: the decoder's blocks, handed over one by one."""
        last: BaseException | None = None
        try:
            for block in self._reading:
                self._hand_over(block)
        except (EmojudgeError, OSError) as error:
            last = error
        finally:
            self._theirs.close()
        self._hand_over(last)

    def _hand_over(self, block: Samples | BaseException | None) -> None:
        waiting = asyncio.run_coroutine_threadsafe(self._blocks.put(block), self._loop)
        while True:
            try:
                waiting.result(0.5)
                return
            except TimeoutError:
                if self._closed:  # nobody takes it any more
                    waiting.cancel()
                    return
