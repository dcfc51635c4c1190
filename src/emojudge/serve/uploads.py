"""What a request brings: files in temporary files without a name, words, addresses where they are allowed."""

import contextlib
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request

from emojudge.errors import TranscriptError
from emojudge.records import Transcript
from emojudge.serve.fetch import fetch
from emojudge.serve.problems import Problem
from emojudge.serve.schema import PredictRequest
from emojudge.serve.service import Service
from emojudge.serve.settings import FILES, TEXT_BYTES

LONGEST_NAME = 200  # characters
WORDS = (".srt", ".vtt", ".json", ".rttm", ".textgrid", ".txt")

Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True)
class Received:
    """One input: a file, words, or both."""

    name: str
    file: IO[bytes] | None = None
    transcript: str | None = None


def safe_name(name: str | None, otherwise: str) -> str:
    """A client's name for a file as a label, never as a path: its last part, printable.

    >>> safe_name("C:\\\\calls\\\\../../call 1.wav\\n", "audio")
    'call 1.wav'
    """
    last = PurePosixPath((name or "").replace("\\", "/")).name
    return "".join(c for c in last if c.isprintable())[:LONGEST_NAME].strip() or otherwise


def media_type(request: Request) -> str:
    """The content type without its parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def read_json(request: Request, model: type[Model]) -> Model:
    """The request's body as JSON. Raises a Problem, 422, for another."""
    try:
        return model.model_validate_json(await request.body())
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        at = ".".join(str(part) for part in first["loc"])
        raise Problem(
            422, found=f"{at or 'body'}: {first['msg']}", expected="values as /openapi.json describes them"
        ) from None


@contextlib.asynccontextmanager
async def form_of(request: Request, fields: set[str]) -> AsyncIterator[FormData]:
    """The request's form; its files are gone at the end. Raises a Problem, 422, for fields nobody knows."""
    async with request.form(max_files=FILES, max_fields=2 * FILES, max_part_size=TEXT_BYTES) as form:
        if unknown := sorted(set(form) - fields):
            raise Problem(
                422, found=f"the field {unknown[0][:50]!r}", expected=f"some of {', '.join(sorted(fields))}"
            )
        yield form


def files_in(form: FormData, field: str) -> list[UploadFile]:
    """The uploads of a field. Raises a Problem, 422, for one that is a text."""
    files = form.getlist(field)
    uploads = [file for file in files if isinstance(file, UploadFile)]
    if len(uploads) < len(files):
        raise Problem(422, found=f"{field}: a text", expected="an upload with a file name")
    return uploads


def texts_in(form: FormData, field: str) -> list[str]:
    """The values of a text field. Raises a Problem, 422, for an upload."""
    values = form.getlist(field)
    texts = [value for value in values if isinstance(value, str)]
    if len(texts) < len(values):
        raise Problem(422, found=f"{field}: an upload", expected="a text")
    return texts


def read_words(upload: UploadFile, read: Callable[[Path], Transcript]) -> Transcript:
    """An upload with words or turns; the suffix of its name says what it is.

    Raises:
        Problem: 422 where it cannot be read.
    """
    name = safe_name(upload.filename, "words")
    suffix = Path(name).suffix.lower()
    with tempfile.NamedTemporaryFile(suffix=suffix if suffix in WORDS else ".none") as copy:
        shutil.copyfileobj(upload.file, copy)
        copy.flush()
        try:
            return read(Path(copy.name))
        except TranscriptError as error:  # without the place of the copy
            raise Problem(
                422, found=error.found, expected=error.expected, advice=error.advice, where=name
            ) from None


@contextlib.asynccontextmanager
async def inputs_of(request: Request, service: Service) -> AsyncIterator[list[Received]]:
    """What is to be predicted; files are gone at the end.

    Raises:
        Problem: 415 for another content type, 422 for nothing, too much, or files and transcripts that do
            not go together; what `fetch` raises.
    """
    kind = media_type(request)
    if kind == "multipart/form-data":
        async with form_of(request, {"file", "transcript"}) as form:
            files, texts = files_in(form, "file"), texts_in(form, "transcript")
            if files and texts and len(files) != len(texts):
                raise Problem(
                    422,
                    found=f"{len(texts)} transcripts and {len(files)} files",
                    expected="a transcript for every file, or none; an empty one where it is not known",
                )
            if not files and not texts:
                raise Problem(422, found="nothing", expected="a field 'file', 'transcript' or both")
            yield _paired(files, texts)
    elif kind == "application/json":
        asked = await read_json(request, PredictRequest)
        with contextlib.ExitStack() as stack:
            received = []
            for number, item in enumerate(asked.inputs, start=1):
                file = None
                if item.url is not None:
                    file = await download(item.url, service)
                    stack.enter_context(file)
                elif not (item.transcript or "").strip():
                    raise Problem(422, found=f"input {number} without words or address", expected="some")
                name = safe_name(item.id or item.url, f"input {number}")
                received.append(Received(name, file, item.transcript))
            yield received
    else:
        raise unsupported(kind)


async def download(url: str, service: Service) -> IO[bytes]:
    """A recording by address; see `fetch`."""
    settings = service.settings
    return await service.run(fetch, url, settings.url_prefixes, settings.upload_bytes)


def unsupported(kind: str) -> Problem:
    """For a content type that is none of ours."""
    return Problem(
        415, found=kind[:80] or "no content type", expected="multipart/form-data or application/json"
    )


def _paired(files: list[UploadFile], texts: list[str]) -> list[Received]:
    if not files:
        return [Received(f"text {number}", None, text) for number, text in enumerate(texts, start=1)]
    words = [text.strip() or None for text in texts] or [None] * len(files)
    return [
        Received(safe_name(file.filename, f"audio {number}"), file.file, text)
        for number, (file, text) in enumerate(zip(files, words, strict=True), start=1)
    ]
