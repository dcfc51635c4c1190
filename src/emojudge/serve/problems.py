"""Errors as a client gets them: problem details (RFC 9457), in the words of `errors`."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from emojudge.errors import EmojudgeError, MissingExtraError

MEDIA_TYPE = "application/problem+json"


class Problem(HTTPException):  # so that the framework lets it through from wherever it is raised
    """An answer that is an error: its status, what was found, what was expected, what to do next."""

    def __init__(
        self,
        status: int,
        *,
        found: str,
        expected: str,
        advice: str = "",
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> None:
        detail = f"Found {found}; expected {expected}. {advice}".rstrip()
        super().__init__(status, detail, dict(headers or {}))
        title = HTTPStatus(status).phrase
        said = {"found": found, "expected": expected, "advice": advice or None}
        self.body = {"type": "about:blank", "title": title, "status": status, "detail": detail}
        self.body |= {name: value for name, value in (said | more).items() if value is not None}

    def response(self) -> Response:
        """The problem as it is sent."""
        return JSONResponse(self.body, self.status_code, self.headers, media_type=MEDIA_TYPE)


def problem_of(error: EmojudgeError, status: int = 422) -> Problem:
    """An error of the library as a problem."""
    if isinstance(error, MissingExtraError):
        status = 415
    return Problem(status, found=error.found, expected=error.expected, advice=error.advice, where=error.where)


def install(app: FastAPI) -> None:
    """Have the app answer every error as a problem."""

    async def problem(request: Request, error: Exception) -> Response:
        assert isinstance(error, Problem)
        return error.response()

    async def of_library(request: Request, error: Exception) -> Response:
        assert isinstance(error, EmojudgeError)
        return problem_of(error).response()

    async def of_framework(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        expected = {404: "one of the paths in /openapi.json", 405: "another method"}.get(
            error.status_code, "a request as /openapi.json describes it"
        )
        found = {404: "no such path", 405: f"the method {request.method}"}.get(
            error.status_code, str(error.detail)
        )
        return Problem(error.status_code, found=found, expected=expected, headers=error.headers).response()

    async def of_values(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        # Without the values themselves: what was sent is not for logs, and may be no JSON at all.
        wrong = [
            {"at": ".".join(str(part) for part in item["loc"]), "message": item["msg"]}
            for item in error.errors()
        ]
        first = wrong[0] if wrong else {"at": "request", "message": "invalid"}
        return Problem(
            422,
            found=f"{first['at']}: {first['message']}",
            expected="values as /openapi.json describes them",
            errors=jsonable_encoder(wrong),
        ).response()

    async def unforeseen(request: Request, error: Exception) -> Response:
        return Problem(
            500, found="an error of the server", expected="none", advice="Its log says more."
        ).response()

    app.add_exception_handler(Problem, problem)
    app.add_exception_handler(EmojudgeError, of_library)
    app.add_exception_handler(HTTPException, of_framework)
    app.add_exception_handler(RequestValidationError, of_values)
    app.add_exception_handler(Exception, unforeseen)
