"""What the OpenAPI document says of every route alike: errors, uploads."""

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel
from starlette.responses import Response

from emojudge.serve.problems import MEDIA_TYPE
from emojudge.serve.schema import ProblemDetail

_SCHEMA = {"$ref": "#/components/schemas/ProblemDetail"}
ALWAYS = (400, 401, 403, 408, 413, 421, 422, 429, 500)


def errors(*more: int) -> dict[int | str, dict[str, Any]]:
    """The problems that a route may answer with: those of any route, and its own."""
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {MEDIA_TYPE: {"schema": _SCHEMA}},
        }
        for status in sorted({*ALWAYS, *more})
    }


def with_problems(app: FastAPI) -> None:
    """Add to the app's document what its errors look like."""
    plain = app.openapi

    def document() -> dict[str, Any]:
        told = plain()
        told["components"]["schemas"]["ProblemDetail"] = ProblemDetail.model_json_schema()
        return told

    app.openapi = document  # type: ignore[method-assign]


def body(form: dict[str, Any], required: list[str], asked: type[BaseModel]) -> dict[str, Any]:
    """A request body that is a form with uploads, or JSON."""
    schema: dict[str, Any] = {"type": "object", "properties": form, "additionalProperties": False}
    if required:
        schema["required"] = required
    json = asked.model_json_schema(ref_template="#/components/schemas/{model}")
    inner = json.pop("$defs", {})
    content = {
        "multipart/form-data": {"schema": schema},
        "application/json": {"schema": _inlined(json, inner)},
    }
    return {"requestBody": {"required": True, "content": content}}


def answer(model: BaseModel, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A model as JSON, written once and not checked again."""
    return Response(model.model_dump_json(), status, headers, media_type="application/json")


def _inlined(schema: Any, inner: dict[str, Any]) -> Any:
    if isinstance(schema, dict):
        name = str(schema.get("$ref", "")).rpartition("/")[2]
        if name in inner:
            return _inlined(inner[name], inner)
        return {key: _inlined(value, inner) for key, value in schema.items()}
    return [_inlined(value, inner) for value in schema] if isinstance(schema, list) else schema
