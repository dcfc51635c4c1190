"""What the routes share: one of each, for as long as the server runs."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

from starlette.requests import HTTPConnection

from emojudge.recognizer import Recognizer
from emojudge.serve.audit import Audit
from emojudge.serve.base import Base
from emojudge.serve.batcher import Batcher
from emojudge.serve.corrections import Corrections
from emojudge.serve.decoding import Decoders
from emojudge.serve.jobs import Store
from emojudge.serve.judging import Judging
from emojudge.serve.metrics import Metrics
from emojudge.serve.problems import Problem
from emojudge.serve.runner import Runner
from emojudge.serve.settings import Settings

Out = TypeVar("Out")


@dataclass
class Service:
    """The parts of a running server."""

    settings: Settings
    recognizer: Recognizer
    judging: Judging
    metrics: Metrics
    audit: Audit
    base: Base
    store: Store
    corrections: Corrections
    decoders: Decoders
    batcher: Batcher
    runner: Runner
    files: ThreadPoolExecutor  # decoding, copying, downloading
    streaming: ThreadPoolExecutor  # one thread for each live stream that has to be decoded
    ready: bool = False
    _streams: int = field(default=0)

    async def run(self, work: Callable[..., Out], *values: object) -> Out:
        """Something that waits for files or processes, beside the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self.files, work, *values)

    @contextlib.contextmanager
    def stream(self) -> Iterator[None]:
        """A place for a live stream. Raises a Problem, 429, where there is none left."""
        if self._streams >= self.settings.streams:
            raise Problem(
                429,
                found=f"{self._streams} live streams",
                expected=f"at most {self.settings.streams}",
                advice="Try again later.",
                headers={"Retry-After": "10"},
            )
        self._streams += 1
        self.metrics.streams.set(self._streams)
        try:
            yield
        finally:
            self._streams -= 1
            self.metrics.streams.set(self._streams)


def service_of(connection: HTTPConnection) -> Service:
    """The service behind a request."""
    service: Service = connection.app.state.service
    return service
