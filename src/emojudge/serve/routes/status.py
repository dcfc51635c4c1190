"""What the server is and how it does."""

from fastapi import APIRouter, Request
from starlette.responses import Response

import emojudge
from emojudge.emotions import EMOTIONS
from emojudge.serve.metrics import CONTENT_TYPE
from emojudge.serve.problems import Problem
from emojudge.serve.routes.documented import answer, errors
from emojudge.serve.schema import Health, Models
from emojudge.serve.service import service_of
from emojudge.serve.settings import PREDICT_SECONDS

router = APIRouter(tags=["status"])


@router.get("/v1/models", response_model=Models, responses=errors())
async def models(request: Request) -> Response:
    """What predicts, transcribes and judges here."""
    service = service_of(request)
    recognizer, judge = service.recognizer, service.judging.judge
    manifest = recognizer.bundle.manifest
    return answer(
        Models(
            bundle=manifest.name,
            modalities=[name for name, part in (("audio", manifest.audio), ("text", manifest.text)) if part],
            emotions=list(EMOTIONS),
            transcriber=recognizer.transcriber.name if recognizer.transcriber else None,
            judge=judge.provider.name if judge else None,
            version=emojudge.__version__,
            longest_prediction_seconds=PREDICT_SECONDS,
            longest_job_seconds=service.settings.minutes * 60,
        )
    )


@router.get("/healthz", response_model=Health, responses=errors())
async def health() -> Health:
    """The process answers."""
    return Health(status="ok")


@router.get("/readyz", response_model=Health, responses=errors(503))
async def ready(request: Request) -> Health:
    """The models are loaded, and the server is not about to end."""
    if not service_of(request).ready:
        raise Problem(503, found="a server that is starting or ending", expected="one that is ready")
    return Health(status="ok")


@router.get(
    "/metrics",
    response_class=Response,
    responses={**errors(), 200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def metrics(request: Request) -> Response:
    """Figures for Prometheus."""
    return Response(service_of(request).metrics.text(), media_type=CONTENT_TYPE)
