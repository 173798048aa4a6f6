"""What the description promises, a really started server keeps, whatever it is sent."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi import checks

from api.wire import MODELS, PUBLIC_URL
from serving import Server
from tintype.api.answers import ANSWERS
from tintype.api.openapi import shapes
from tintype.api.openapi.document import openapi, run_paths
from tintype.api.openapi.operations import OPERATIONS, Operation, run, run_sync
from tintype.domain.catalogue import load_catalogue
from tintype.domain.errors import InvalidInputs, TintypeError

PROMISES = [
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
EXAMPLES = 12


def _operations() -> Iterator[Operation]:
    yield from OPERATIONS
    for model in load_catalogue(MODELS).models:
        path, waiting = run_paths(model)
        yield run(path)
        yield run_sync(waiting)


def _asked() -> Iterator[Any]:
    """Every operation, with bodies as described and, where there are bodies, with others."""
    for operation in _operations():
        modes = [GenerationMode.POSITIVE, *([GenerationMode.NEGATIVE] if operation.body else [])]
        for mode in modes:
            yield pytest.param(operation, mode, id=f"{operation.method} {operation.path} {mode.name}")


@pytest.fixture(scope="module")
def described(plain_server: Server) -> Any:
    document = plain_server.get("/openapi.json").json()
    assert document.keys() == openapi(load_catalogue(MODELS), PUBLIC_URL).keys()
    return schemathesis.openapi.from_dict(document)


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("operation", "mode"), list(_asked()))
def test_every_answer_is_as_it_was_told(
    plain_server: Server, described: Any, operation: Operation, mode: GenerationMode
) -> None:
    sent = described[operation.path][operation.method]
    # One nonce will do for all, as callers do it.
    credentials = plain_server.headers()
    statuses: list[int] = []
    done = 0

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=sent.as_strategy(mode))
    def ask(case: Any) -> None:
        nonlocal done
        response = case.call(base_url=plain_server.url, headers=credentials, timeout=60)
        try:
            case.validate_response(response, checks=PROMISES)
        except FailureGroup as group:
            pytest.fail("\n\n".join(str(failure) for failure in group.exceptions))
        assert response.status_code < 500, response.text
        assert_told(operation, response)
        statuses.append(response.status_code)
        done += b'"result":true' in response.content

    ask()

    assert statuses
    if mode is GenerationMode.POSITIVE and operation.answers and "{" not in operation.path:
        assert done or operation.body is shapes.TaskNamed or operation.body is shapes.ToolNamed


def assert_told(operation: Operation, response: requests.Response | Any) -> None:
    """Every refusal is one that the description tells of, with its code and its words."""
    if (
        not response.headers["content-type"][0].startswith("application/json")
        or operation.path == "/openapi.json"
    ):
        return
    for error in response.json()["errors"]:
        assert any(_is(kind, error) for kind in operation.all_refusals), error


def _is(kind: type[TintypeError], error: dict[str, Any]) -> bool:
    if kind is InvalidInputs:
        return error["code"] == 0 and error["message"].startswith("Request ")
    words = re.sub(r"\\\{\w+\\\}", ".+", re.escape(kind.__doc__ or ""))
    said = re.fullmatch(words, error["message"], re.DOTALL)
    return error["code"] == ANSWERS[kind].code and said is not None
