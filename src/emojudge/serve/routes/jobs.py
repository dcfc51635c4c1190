"""`/v1/jobs`: long recordings, followed in the background, looked at while they are."""

import asyncio
import os
import shutil
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import IO, Annotated, Any

from fastapi import APIRouter, Header, Query, Request
from fastapi import Path as InPath
from pydantic import TypeAdapter
from starlette.datastructures import FormData
from starlette.responses import FileResponse, Response, StreamingResponse

from emojudge.audio.transcripts import read_transcript
from emojudge.audio.turns import read_turns
from emojudge.records import Failure, Timeline, Transcript
from emojudge.serve import hume
from emojudge.serve.jobs import Options
from emojudge.serve.problems import Problem
from emojudge.serve.routes.documented import answer, body, errors
from emojudge.serve.routes.predict import Layout
from emojudge.serve.schema import Job, JobRequest, Jobs
from emojudge.serve.service import Service, service_of
from emojudge.serve.settings import WAITING_JOBS
from emojudge.serve.uploads import (
    download,
    files_in,
    form_of,
    media_type,
    read_json,
    read_words,
    safe_name,
    unsupported,
)

LOOK = 0.2  # seconds between two looks for news of a job
ALIVE = 15.0  # seconds without news, after which a stream says that it is still there
ENDED = ("done", "failed", "cancelled")
LISTED = 500

router = APIRouter(tags=["jobs"])

Id = Annotated[str, InPath(pattern="^[0-9a-f]{32}$", description="A job's id, as POST /v1/jobs gave it.")]
_HUME = TypeAdapter(list[hume.File])
_FORM: dict[str, Any] = {
    "file": {"type": "string", "format": "binary", "description": "The recording."},
    "transcript": {
        "type": "string",
        "format": "binary",
        "description": "What is said and when: an SRT, VTT or Whisper JSON file; cut at pauses all the same.",
    },
    "turns": {
        "type": "string",
        "format": "binary",
        "description": "Who speaks when, to cut there: an RTTM, TextGrid, SRT, VTT or WhisperX JSON file.",
    },
}


@router.post(
    "/v1/jobs",
    status_code=202,
    response_model=Job,
    responses=errors(409, 415),
    openapi_extra=body(_FORM, ["file"], JobRequest),
)
async def create(
    request: Request, judge: Annotated[bool, Query(description="Ask the judge about each segment.")] = False
) -> Response:
    """Take a recording of any length; its job is looked at by its id."""
    service = service_of(request)
    if judge:
        service.judging.check()
    if service.store.waiting() >= WAITING_JOBS:
        raise Problem(
            429,
            found=f"{WAITING_JOBS} jobs waiting",
            expected="fewer",
            advice="Try again later.",
            headers={"Retry-After": "60"},
        )
    options = Options(judge=judge)
    id = service.store.new_id()  # noqa: A001
    kind = media_type(request)
    if kind == "multipart/form-data":
        async with form_of(request, {"file", "transcript", "turns"}) as form:
            files = files_in(form, "file")
            if len(files) != 1:
                raise Problem(422, found=f"{len(files)} files", expected="one")
            options = Options(
                judge=judge,
                transcript=await _words(service, form, "transcript", read_transcript),
                turns=await _words(service, form, "turns", read_turns),
            )
            name = safe_name(files[0].filename, "audio")
            await service.run(_checked, service, files[0].file, id, name)
    elif kind == "application/json":
        asked = await read_json(request, JobRequest)
        name = safe_name(asked.url, "audio")
        with await download(asked.url, service) as file:
            await service.run(_checked, service, file, id, name)
    else:
        raise unsupported(kind)
    job = service.store.add(id, name, options)
    service.runner.announce()
    return answer(job, 202, {"Location": f"/v1/jobs/{id}"})


@router.get("/v1/jobs", response_model=Jobs, responses=errors())
async def listed(request: Request) -> Response:
    """The newest 500 jobs, without their timelines."""
    return answer(Jobs(jobs=service_of(request).store.all(LISTED)))


@router.get("/v1/jobs/{id}", response_model=Job | list[hume.File], responses=errors(404, 409))
async def get(request: Request, id: Id, layout: Layout = "emojudge") -> Response:  # noqa: A002
    """A job with the timeline as far as it is known; in Hume's shape when it has ended."""
    job = _job(service_of(request), id, timeline=True)
    if layout == "emojudge":
        return answer(job)
    if job.state not in ENDED:
        raise Problem(409, found=f"a job that is {job.state}", expected="one that has ended")
    assert job.timeline is not None
    return Response(
        _HUME.dump_json(hume.of_timeline(_told(job, job.timeline))), media_type="application/json"
    )


@router.post("/v1/jobs/{id}/cancel", response_model=Job, responses=errors(404, 409))
async def cancel(request: Request, id: Id) -> Response:  # noqa: A002
    """End a job; what was found so far stays until the job is deleted."""
    service = service_of(request)
    job = _job(service, id)
    if not service.store.cancel(id):
        raise Problem(409, found=f"a job that is {job.state}", expected="one that is queued or running")
    return answer(_job(service, id))


@router.delete("/v1/jobs/{id}", status_code=204, responses=errors(404))
async def delete(request: Request, id: Id) -> Response:  # noqa: A002
    """Cancel a job, and forget its recording, its timeline and the corrections that were made to it."""
    if not service_of(request).store.delete(id):
        raise _unknown()
    return Response(status_code=204)


@router.get(
    "/v1/jobs/{id}/events",
    response_class=StreamingResponse,
    responses={**errors(404), 200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
)
async def events(
    request: Request,
    id: Id,  # noqa: A002
    last: Annotated[str | None, Header(alias="Last-Event-ID")] = None,
) -> Response:
    """What happens to a job, as server-sent events: started, passage, point, failure, progress, how it ended.

    Whoever sends the last id it saw gets what came after. `started` says that what was found is found again.
    """
    service = service_of(request)
    _job(service, id)
    after = int(last) if last and last.isascii() and last.isdigit() and len(last) < 19 else 0
    return StreamingResponse(_events(service, id, after), media_type="text/event-stream")


@router.get(
    "/v1/jobs/{id}/audio",
    response_class=FileResponse,
    responses={
        **errors(404),
        200: {"content": {"audio/flac": {"schema": {"type": "string", "format": "binary"}}}},
    },
)
async def audio(request: Request, id: Id) -> Response:  # noqa: A002
    """A job's audio, mono at 16 kHz, where the server keeps it."""
    service = service_of(request)
    if not _job(service, id).audio_kept:
        raise Problem(404, found="no audio", expected="a server that was started with --keep-audio")
    return FileResponse(service.store.kept(id), media_type="audio/flac")


async def _events(service: Service, id: str, after: int) -> AsyncIterator[str]:  # noqa: A002
    quiet = time.monotonic()
    while service.ready:
        found = service.store.events(id, after)
        for event in found:
            after = event.number
            yield f"id: {event.number}\nevent: {event.kind}\ndata: {event.data}\n\n"
            if event.kind in ENDED:
                return
        if found:
            quiet = time.monotonic()
            continue
        job = service.store.get(id)
        if job is None:
            yield "event: deleted\ndata: {}\n\n"
            return
        if job.state in ENDED and not service.store.events(id, after, 1):
            return  # whoever comes back after the end has heard it
        if time.monotonic() - quiet > ALIVE:
            quiet = time.monotonic()
            yield ": alive\n\n"
        await asyncio.sleep(LOOK)


async def _words(
    service: Service, form: FormData, field: str, read: Callable[[Path], Transcript]
) -> Transcript | None:
    uploads = files_in(form, field)
    return await service.run(read_words, uploads[0], read) if uploads else None


def _checked(service: Service, file: IO[bytes], id: str, name: str) -> None:  # noqa: A002
    """Take an upload in, if its beginning can be decoded."""
    file.fileno()
    file.flush()
    service.decoders.check(file, name)
    path = service.store.upload(id)
    file.seek(0)
    with open(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600), "wb") as copy:
        shutil.copyfileobj(file, copy)


def _told(job: Job, timeline: Timeline) -> Timeline:
    """With what was wrong with the recording itself among the failures."""
    if job.error is None:
        return timeline
    broken = Failure(id=job.name, error=job.error)
    return timeline.model_copy(update={"failures": (*timeline.failures, broken)})


def _job(service: Service, id: str, timeline: bool = False) -> Job:  # noqa: A002
    job = service.store.get(id, timeline)
    if job is None:
        raise _unknown()
    return job


def _unknown() -> Problem:
    return Problem(404, found="no such job", expected="the id of one that was not deleted")
