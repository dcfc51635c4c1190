"""The OpenAPI document: schemathesis asks the server what it allows, and what it forbids."""

from contextlib import nullcontext, suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable

from tests.serve.serving import Server

schemathesis = pytest.importorskip("schemathesis", reason="needs the extra 'dev'")


def test_every_route_says_what_it_is_for_and_how_it_fails(server: Server) -> None:
    document = server.ask("GET", "/openapi.json").json
    assert len(document["paths"]) >= 14
    for path, methods in document["paths"].items():
        for method, route in methods.items():
            where = f"{method} {path}"
            assert route.get("description"), where
            for status, response in route["responses"].items():
                if int(status) >= 400:
                    assert list(response["content"]) == ["application/problem+json"], (where, status)
    shown = [name for name, schema in document["components"]["schemas"].items() if schema.get("examples")]
    assert {"PredictResponse", "Job", "CorrectionRequest", "Doubtful", "ProblemDetail"} <= set(shown)


@pytest.mark.slow
def test_requests_that_the_document_allows_or_forbids_are_answered_as_it_says(server: Server) -> None:
    from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

    schema = schemathesis.openapi.from_url(f"{server.url}/openapi.json")
    for result in schema.get_all_operations():
        operation = result.ok()
        excluded = [positive_data_acceptance]  # no made-up bytes are a recording
        if any("multipart" in body.media_type for body in operation.body):
            excluded.append(negative_data_rejection)  # in a form, one text and a list of one are the same
        for mode in schemathesis.GenerationMode:
            _ask(operation, mode, excluded)


def _ask(operation: Any, mode: Any, excluded: list[Any]) -> None:
    @settings(
        max_examples=10,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: Any) -> None:
        case.call_and_validate(timeout=30, excluded_checks=excluded)

    # A route without parameters knows no wrong request.
    with nullcontext() if mode is schemathesis.GenerationMode.POSITIVE else suppress(Unsatisfiable):
        ask()
