"""`POST /v1/judge`: a prediction in, a verdict out."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from emojudge.emotions import EMOTIONS
from emojudge.records import Opinion, Prediction, Verdict
from emojudge.serve.problems import Problem
from emojudge.serve.routes.documented import answer, errors
from emojudge.serve.schema import PREDICTION
from emojudge.serve.service import service_of

router = APIRouter(tags=["judge"])


@router.post(
    "/v1/judge",
    response_model=Verdict,
    responses=errors(409),
    openapi_extra={"requestBody": {"content": {"application/json": {"example": PREDICTION}}}},
)
async def judge(request: Request, prediction: Prediction) -> Response:
    """What the judge says to a prediction, this recogniser's or another's; it is told of no voice here."""
    for name, part in (
        ("scores", prediction),
        ("audio.scores", prediction.audio),
        ("text.scores", prediction.text),
    ):
        if part is not None:
            _check(name, part)
    (verdict,) = await service_of(request).judging.verdicts([(prediction, None)])
    return answer(verdict)


def _check(name: str, part: Prediction | Opinion) -> None:
    scores = part.scores
    if set(scores) != set(EMOTIONS) or not all(0 <= score <= 1 for score in scores.values()):
        raise Problem(
            422,
            found=f"{name}: {len(scores)} values",
            expected="a score from 0 to 1 for each of the eight emotions",
        )
