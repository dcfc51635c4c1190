"""Corrections by people, as a corpus to train with; and what most needs a person's ear."""

import io
import json
import tempfile
import zipfile
from collections.abc import Iterator
from typing import IO, Annotated, Any

import soundfile
from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response, StreamingResponse

from emojudge.audio.decode import SAMPLE_RATE
from emojudge.records import Passage
from emojudge.serve.problems import Problem
from emojudge.serve.routes.documented import answer, errors
from emojudge.serve.schema import Correction, CorrectionRequest, Corrections, DoubtfulResponse, JobId
from emojudge.serve.service import Service, service_of

PIECE = 2**16  # bytes
ZIPPED = {"content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}}}

router = APIRouter(tags=["corrections"])


@router.get("/v1/doubtful", response_model=DoubtfulResponse, responses=errors())
async def doubtful(request: Request, limit: Annotated[int, Query(ge=1, le=500)] = 50) -> Response:
    """Passages that nobody has corrected, those first whose emotion stands out least."""
    return answer(DoubtfulResponse(passages=service_of(request).corrections.doubtful(limit)))


@router.post("/v1/corrections", status_code=201, response_model=Correction, responses=errors(404, 409))
async def correct(request: Request, asked: CorrectionRequest) -> Response:
    """Keep what a person says a passage is; it takes the place of an earlier correction."""
    service = service_of(request)
    store = service.store
    job, passage = store.get(asked.job), store.passage(asked.job, asked.passage)
    if job is None or passage is None:
        raise Problem(404, found="no such passage", expected="a job's id, and a place among its passages")
    if job.state != "done":
        raise Problem(409, found=f"a job that is {job.state}", expected="one that is done")
    if not job.audio_kept and not _words(asked, passage):
        raise Problem(
            409,
            found="a passage without words whose audio was not kept",
            expected="something to learn from",
            advice="Give its transcript, or start the server with --keep-audio.",
        )
    return answer(service.corrections.add(asked, passage, job.audio_kept), 201)


@router.get("/v1/corrections", response_model=Corrections, responses=errors())
async def corrected(
    request: Request, job: Annotated[JobId | None, Query(description="Of this job alone.")] = None
) -> Response:
    """What people said, by job and passage."""
    return answer(Corrections(corrections=service_of(request).corrections.of(job)))


@router.delete("/v1/corrections/{job}/{passage}", status_code=204, responses=errors(404))
async def take_back(
    request: Request, job: Annotated[JobId, Path()], passage: Annotated[int, Path(ge=0, lt=2**31)]
) -> Response:
    """Forget a correction: the passage is what was predicted again."""
    if not service_of(request).corrections.delete(job, passage):
        raise Problem(404, found="no such correction", expected="a passage that was corrected")
    return Response(status_code=204)


@router.get(
    "/v1/corrections/export", response_class=StreamingResponse, responses={**errors(404), 200: ZIPPED}
)
async def export(request: Request) -> Response:
    """All corrections as a corpus: a ZIP with `manifest.jsonl`, and the audio where it was kept.

    Unpacked, its folder is what a recipe's `table` corpus and `emojudge corpus check` read.
    """
    service = service_of(request)
    file = await service.run(_packed, service)
    if file is None:
        raise Problem(404, found="no correction", expected="at least one")
    headers = {"Content-Disposition": 'attachment; filename="corrections.zip"'}
    return StreamingResponse(_pieces(file), media_type="application/zip", headers=headers)


def _packed(service: Service) -> IO[bytes] | None:
    rows: list[str] = []
    file = tempfile.TemporaryFile()  # noqa: SIM115 - closed when it was sent
    with zipfile.ZipFile(file, "w") as packed:
        for asked, passage, kept in service.corrections.learned():
            row = _row(asked, passage)
            path = service.store.kept(asked.job)
            if kept and path.exists():
                row["file"] = f"audio/{row['id']}.flac"
                packed.writestr(row["file"], _cut(path, passage))
            rows.append(json.dumps(row, ensure_ascii=False))
        packed.writestr("manifest.jsonl", "\n".join(rows) + "\n", zipfile.ZIP_DEFLATED)
    file.seek(0)
    return file if rows else None


def _row(asked: CorrectionRequest, passage: Passage) -> dict[str, Any]:
    """A row with the columns of `corpora.table`, and what the models had said."""
    row: dict[str, Any] = {
        "id": f"{asked.job}-{asked.passage:05d}",
        "emotion": asked.emotion,
        "speaker": passage.speaker
        and f"{asked.job}-{passage.speaker}",  # speaker A of two calls is two people
        "transcript": _words(asked, passage),
        "recording": asked.job,
        "position": passage.start,
        "predicted": passage.prediction.emotion,
    }
    if asked.attributes is not None:
        row |= asked.attributes.model_dump()
    return {name: value for name, value in row.items() if value is not None}


def _words(asked: CorrectionRequest, passage: Passage) -> str | None:
    said = passage.prediction.transcript.text if passage.prediction.transcript else ""
    return (asked.transcript if asked.transcript is not None else said).strip() or None


def _cut(path: Any, passage: Passage) -> bytes:
    start, stop = (round(seconds * SAMPLE_RATE) for seconds in (passage.start, passage.end))
    samples, rate = soundfile.read(path, start=start, stop=stop, dtype="int16")
    piece = io.BytesIO()
    soundfile.write(piece, samples, rate, format="FLAC", subtype="PCM_16")
    return piece.getvalue()


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while piece := file.read(PIECE):
            yield piece
