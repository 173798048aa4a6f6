"""`/openapi.json` is complete and true, and `/docs` shows it without help from anywhere."""

import base64
import hashlib
import html
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
from openapi_spec_validator import validate
from starlette.routing import Match, Route

from api.wire import MODEL, PUBLIC_URL, Wire
from tintype.api.answers import ANSWERS
from tintype.api.app import create_app
from tintype.api.openapi import shapes
from tintype.api.openapi.document import message, openapi
from tintype.api.openapi.operations import OPERATIONS, Authority
from tintype.api.openapi.page import page
from tintype.domain import errors
from tintype.domain.catalogue import Catalogue, load_catalogue

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def document(wire: Wire) -> dict[str, Any]:
    return dict(wire.http.get("/openapi.json").json())


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def routes(wire: Wire) -> list[Route]:
    app = create_app(wire.service, following=wire.following, ready=lambda: True)
    return [route for route in app.routes if isinstance(route, Route)]


def fits(schema: dict[str, Any], value: Any, document: dict[str, Any]) -> None:
    """Fails unless the value is of that schema."""
    jsonschema.Draft202012Validator({**schema, "components": document["components"]}).validate(value)


def test_the_document_is_openapi(document: dict[str, Any]) -> None:
    validate(document)

    assert document["openapi"] == "3.1.0"
    assert document["servers"] == [{"url": PUBLIC_URL}]


def test_every_route_is_told_and_nothing_else(wire: Wire, document: dict[str, Any]) -> None:
    told = {(method, path) for method, path, _ in operations(document)}
    there = {(method, route.path) for route in routes(wire) for method in (route.methods or ()) - {"HEAD"}}

    assert there <= told, "tintype.api.openapi.operations lacks an endpoint"
    for method, path in told - there:  # the Runs of single models
        scope = {"type": "http", "method": method, "path": path}
        assert any(route.matches(scope)[0] is Match.FULL for route in routes(wire)), (method, path)
        slug = path.removeprefix("/v1/Run/").removesuffix("/sync")
        assert slug in {model.slug for model in wire.service.catalogue.models}


def test_every_model_has_its_own_run_with_its_inputs(wire: Wire, document: dict[str, Any]) -> None:
    for model in wire.service.catalogue.models:
        for path in (f"/v1/Run/{model.slug}", f"/v1/Run/{model.slug}/sync"):
            content = document["paths"][path]["post"]["requestBody"]["content"]
            assert set(content) == {
                "application/json",
                "multipart/form-data",
                "application/x-www-form-urlencoded",
            }
            for example in content["application/json"]["examples"].values():
                fits(content["application/json"]["schema"], example["value"], document)
        schema = document["components"]["schemas"][f"Inputs.{model.slug.replace('/', '.')}"]
        assert {item.id for item in model.items()} <= set(schema["properties"])


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ({"prompt": "x", "width": 7}, {"prompt": "x", "width": 64}),
        ({"prompt": "x", "width": 72}, {"prompt": "x", "width": "72"}),
        ({}, {"prompt": ""}),
        ({"prompt": "x", "steps": 1.5}, {"prompt": "x", "steps": 0}),
        ({"prompt": "x", "outputFormat": "gif"}, {"prompt": "x", "outputFormat": ""}),
        ({"prompt": "x", "seed": "many"}, {"prompt": "x", "seed": None}),
    ],
)
def test_the_inputs_of_the_page_s_model_are_those_that_it_accepts(
    document: dict[str, Any], wrong: dict[str, Any], right: dict[str, Any]
) -> None:
    schema = {"$ref": f"#/components/schemas/Inputs.{MODEL.replace('/', '.')}"}

    fits(schema, right, document)
    with pytest.raises(jsonschema.ValidationError):
        fits(schema, wrong, document)


def test_models_for_some_are_not_told_to_all(tmp_path: Path) -> None:
    page = (HERE / "studio.toml").read_text("utf-8")
    (tmp_path / "secret.toml").write_text('only_projects = ["insiders"]\n' + page, "utf-8")

    told = json.dumps(openapi(load_catalogue(tmp_path), PUBLIC_URL))

    assert "poster" not in told.lower()


def test_parameters_of_every_type_can_be_told(tmp_path: Path) -> None:
    (tmp_path / "studio.toml").write_text((HERE / "studio.toml").read_text("utf-8"), "utf-8")

    document = json.loads(msgspec.json.encode(openapi(load_catalogue(tmp_path), PUBLIC_URL)))

    validate(document)
    run = document["paths"]["/v1/Run/Studio-North/Poster-2-draft"]["post"]["requestBody"]["content"]
    parts = run["multipart/form-data"]["schema"]["properties"]
    assert parts["inputSketch"] == {"type": "string", "format": "binary"}
    assert parts["inputImage"]["items"] == {"type": "string", "format": "binary"}


def test_every_example_is_of_its_schema(document: dict[str, Any]) -> None:
    checked = 0
    for _, _, operation in operations(document):
        bodies = operation.get("requestBody", {}).get("content", {}).values()
        answers = [
            content
            for answer in operation["responses"].values()
            for content in answer.get("content", {}).values()
        ]
        for content in [*bodies, *answers]:
            for example in content.get("examples", {}).values():
                fits(content["schema"], example["value"], document)
                checked += 1
    assert checked > 100


def test_refusals_are_told_with_their_codes_and_words(document: dict[str, Any]) -> None:
    cancel = document["paths"]["/v1/Task/Cancel"]["post"]["responses"]

    refused = cancel["200"]["content"]["application/json"]["examples"]["NotCancellable"]["value"]
    assert refused == {
        "total": "0",
        "tasklist": [],
        "errors": [{"code": 1, "message": "Task is not in a cancellable state."}],
        "result": False,
    }
    assert cancel["401"]["content"]["application/json"]["examples"]["UnknownKey"]["value"]["errors"] == [
        {"code": 0, "message": "Project authorization is not founded."}
    ]
    assert "429" not in cancel
    assert "Retry-After" in document["paths"][f"/v1/Run/{MODEL}"]["post"]["responses"]["429"]["headers"]


def test_every_refusal_of_a_request_is_told_somewhere() -> None:
    told = {kind for operation in OPERATIONS for kind in operation.all_refusals}
    elsewhere = {
        errors.MalformedHttp,
        errors.BadHandshake,
        errors.HeadersTooLarge,
        errors.RequestTooSlow,
    }
    # What accounts, operators and callbacks are told, and what is told of a task in its `debugerror`.
    inside = {
        kind for kind, answer in ANSWERS.items() if kind not in told | elsewhere and answer.status < 500
    }

    assert {kind.__name__ for kind in inside} == {
        "BadPassword",
        "UnfitAmount",
        "UnfitAccount",
        "UnfitProject",
        "NoWebAddress",
        "AddressRefused",
        "Unreachable",
        "TooSlow",
        "TooLarge",
        "UnusableAnswer",
    }
    assert message(errors.InvalidInputs) == "Request parameter [{name}] …"


def test_credentials_are_told_where_they_are_needed(document: dict[str, Any]) -> None:
    authorities = {operation.path: operation.authority for operation in OPERATIONS}
    for method, path, operation in operations(document):
        authority = authorities.get(path, Authority.PROJECT)
        security = operation.get("security", [])
        assert ({} in security) == (authority is Authority.OPTIONAL)
        assert bool(security) == (authority is not Authority.NOBODY), (method, path)


def test_a_task_has_exactly_the_fields_that_are_told(wire: Wire, document: dict[str, Any]) -> None:
    for task in (wire.finish(wire.run()), wire.fail(wire.run()), wire.detail(wire.run())):
        fits({"$ref": "#/components/schemas/Task"}, task, document)
        assert task.keys() == shapes.Task.__annotations__.keys()
        for output in task["outputs"]:
            assert output.keys() == shapes.Output.__annotations__.keys()


def test_tools_are_as_they_are_told(wire: Wire, document: dict[str, Any]) -> None:
    for name in ("List", "Detail", "Explore"):
        path = f"/v1/Tool/{name}"
        body = {"slugowner": "black-forest-labs", "slugproject": "flux-2-flex-t2i"}
        schema = document["paths"][path]["post"]["responses"]["200"]["content"]["application/json"]["schema"]

        answer = wire.http.post(path, json=body).json()

        assert answer["result"] is True
        fits(schema, answer, document)


def test_the_page_needs_nothing_but_itself(wire: Wire) -> None:
    response = wire.http.get("/docs")

    policy = response.headers["content-security-policy"]
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert "unsafe" not in policy
    assert response.headers["x-content-type-options"] == "nosniff"
    (style,) = re.findall(r"<style>(.*?)</style>", response.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in policy
    assert "<script" not in response.text
    assert not re.search(r"""(src|href)=["']?(https?:)?//""", response.text)
    assert " style=" not in response.text


def test_the_page_shows_every_call(wire: Wire, document: dict[str, Any]) -> None:
    page = wire.http.get("/docs").text

    for _, path, operation in operations(document):
        assert f'<section id="{operation["operationId"]}">' in page
        assert html.escape(path) in page
    assert "A multiple of 16." in page
    assert html.escape("There is no task yet.") in page
    names = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(set(names)) == len(names)


def test_what_a_page_of_a_model_says_is_shown_as_text(tmp_path: Path) -> None:
    toml = (HERE / "studio.toml").read_text("utf-8").replace("Posters, quickly", "`<img src=x onerror=1>`")
    (tmp_path / "studio.toml").write_text(toml, "utf-8")
    catalogue: Catalogue = load_catalogue(tmp_path)

    shown = page(openapi(catalogue, PUBLIC_URL))

    assert "<img" not in shown
    assert "&lt;img src=x onerror=1&gt;" in shown
