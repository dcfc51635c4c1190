"""`POST /v1/predict`: short recordings and texts, answered at once."""

import asyncio
from typing import IO, Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from pydantic import TypeAdapter
from starlette.responses import Response

from emojudge.audio.decode import Audio
from emojudge.errors import EmojudgeError
from emojudge.records import Failure, Prediction, Transcript, Utterance
from emojudge.serve import hume
from emojudge.serve.problems import Problem
from emojudge.serve.routes.documented import answer, body, errors
from emojudge.serve.schema import PredictRequest, PredictResponse
from emojudge.serve.service import Service, service_of
from emojudge.serve.settings import PREDICT_SECONDS
from emojudge.serve.uploads import Received, inputs_of

router = APIRouter(tags=["predict"])

Layout = Annotated[
    Literal["emojudge", "hume"], Query(alias="format", description="hume: the shape of Hume's batch API.")
]
_HUME = TypeAdapter(list[hume.File])
_FORM: dict[str, Any] = {
    "file": {
        "type": "array",
        "items": {"type": "string", "format": "binary"},
        "maxItems": 64,
        "description": f"Recordings of at most {PREDICT_SECONDS:g} s.",
    },
    "transcript": {
        "type": "array",
        "items": {"type": "string"},
        "maxItems": 64,
        "description": "What is said, in the files' order; or texts without recordings.",
    },
}


@router.post(
    "/v1/predict",
    response_model=PredictResponse | list[hume.File],
    responses=errors(409, 415),
    openapi_extra=body(_FORM, [], PredictRequest),
)
async def predict(
    request: Request,
    layout: Layout = "emojudge",
    judge: Annotated[bool, Query(description="Ask the judge about each, too.")] = False,
) -> Response:
    """The emotion of recordings, of texts, or of both together, in their order.

    One input that cannot be used is a failure among the results; where none can, the answer is 422.
    """
    service = service_of(request)
    if judge:
        service.judging.check()
    service.batcher.check_room()  # before the upload is read
    async with inputs_of(request, service) as inputs:
        with service.batcher.room(len(inputs)):
            results = await _results(inputs, service, judge)
    failures = [result for result in results if isinstance(result, Failure)]
    if len(failures) == len(results):
        raise Problem(
            422,
            found="no input that can be used",
            expected="a recording or a text",
            failures=[failure.model_dump() for failure in failures],
        )
    if layout == "hume":
        return Response(_HUME.dump_json(hume.of_results(results)), media_type="application/json")
    return answer(PredictResponse.model_construct(results=results))


async def _results(inputs: list[Received], service: Service, judge: bool) -> list[Prediction | Failure]:
    results: dict[int, Prediction | Failure] = {}
    usable: dict[int, tuple[Utterance, Audio | None]] = {}
    decoded = await asyncio.gather(*(_audio(given, service, len(inputs) == 1) for given in inputs))
    for place, (given, audio) in enumerate(zip(inputs, decoded, strict=True)):
        if isinstance(audio, Failure):
            results[place] = audio
            continue
        words = None if given.transcript is None else Transcript(text=given.transcript, source="given")
        usable[place] = Utterance(id=given.name, transcript=words), audio
    items = [utterance if audio is None else (utterance, audio) for utterance, audio in usable.values()]
    predicted = await service.batcher.predict(items)
    results |= dict(zip(usable, predicted, strict=True))
    if judge:
        found = {place: result for place, result in results.items() if isinstance(result, Prediction)}
        verdicts = await service.judging.verdicts([(found[place], usable[place][1]) for place in found])
        for place, verdict in zip(found, verdicts, strict=True):
            results[place] = found[place].model_copy(update={"verdict": verdict})
    return [results[place] for place in range(len(inputs))]


async def _audio(given: Received, service: Service, alone: bool) -> Audio | Failure | None:
    if given.file is None:
        return None
    try:
        return await service.run(_decoded, service, given.file, given.name)
    except EmojudgeError as error:
        if alone:
            raise
        return Failure(id=given.name, error=str(error))


def _decoded(service: Service, file: IO[bytes], name: str) -> Audio:
    file.fileno()  # an upload that was small enough for memory gets its temporary file here
    file.flush()
    return service.decoders.decode(file, name, PREDICT_SECONDS)
