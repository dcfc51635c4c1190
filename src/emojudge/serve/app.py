"""The application: its parts, its routes, what stands before them, and its beginning and end."""

import contextlib
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor

from fastapi import FastAPI
from starlette.types import ASGIApp

import emojudge
from emojudge.judge.judging import Judge
from emojudge.recognizer import Recognizer
from emojudge.serve import live, problems
from emojudge.serve.audit import Audit
from emojudge.serve.base import Base
from emojudge.serve.batcher import Batcher
from emojudge.serve.corrections import Corrections
from emojudge.serve.decoding import Decoders
from emojudge.serve.jobs import Store
from emojudge.serve.judging import Judging
from emojudge.serve.metrics import Metrics
from emojudge.serve.observing import Observer
from emojudge.serve.routes import corrections, jobs, judge, page, predict, status
from emojudge.serve.routes.documented import with_problems
from emojudge.serve.runner import Runner
from emojudge.serve.security import Guard
from emojudge.serve.service import Service
from emojudge.serve.settings import Settings

FILE_THREADS = 16  # they wait for decoders, disks and networks
ABOUT = (
    "Emotion in speech, from the voice and the words. What comes out are probabilities of a model, not what "
    "a person feels. Errors are problem details (RFC 9457). Live audio goes to the WebSocket `/v1/stream`."
)


def make_app(settings: Settings, recognizer: Recognizer, asked: Judge | None = None) -> ASGIApp:
    """The server's application around a recogniser with one thread, and a judge if there is one."""
    service = _service(settings, recognizer, asked)

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await service.run(service.decoders.warm)
        service.runner.start()
        service.ready = True
        yield
        service.ready = False
        await service.run(_close, service)

    app = FastAPI(
        title="emojudge",
        version=emojudge.__version__,
        description=ABOUT,
        lifespan=lifespan,
        docs_url=None,  # their pages come from a CDN
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.service = service
    problems.install(app)
    for part in (predict, jobs, corrections, judge, status, live, page):
        app.include_router(part.router)
    app.mount("/page", page.files)
    with_problems(app)
    return Observer(Guard(app, settings), service.audit, service.metrics)


def _service(settings: Settings, recognizer: Recognizer, asked: Judge | None) -> Service:
    metrics = Metrics()
    base = Base(settings.data / "jobs.sqlite")
    store = Store(settings.data, base)
    decoders = Decoders(settings.workers)
    judging = Judging(asked, recognizer.bundle, metrics)
    return Service(
        settings=settings,
        recognizer=recognizer,
        judging=judging,
        metrics=metrics,
        audit=Audit(settings.data),
        base=base,
        store=store,
        corrections=Corrections(base),
        decoders=decoders,
        batcher=Batcher(recognizer, settings.workers, settings.queue, metrics),
        runner=Runner(store, decoders, recognizer, judging, settings, metrics),
        files=ThreadPoolExecutor(FILE_THREADS, thread_name_prefix="emojudge-files"),
        streaming=ThreadPoolExecutor(settings.streams, thread_name_prefix="emojudge-stream"),
    )


def _close(service: Service) -> None:
    service.runner.close()
    service.batcher.close()
    service.judging.close()
    service.decoders.close()
    service.base.close()
    service.audit.close()
