"""A second model is one more file: what Tool/List, Detail and Explore make of a catalogue of several."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api.wire import MODELS, Caller, Wire, start_wire
from tintype.domain.parameter import TYPES

LIST, DETAIL, EXPLORE = "/v1/Tool/List", "/v1/Tool/Detail", "/v1/Tool/Explore"
HERE = Path(__file__).parent
MANY = 130
POSTER = {"slugowner": "studio-north", "slugproject": "poster-2-draft"}
SECRET = {"slugowner": "studio-north", "slugproject": "secret"}
NO_ACCESS = [{"code": 1, "message": "tool-not-accessible"}]


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wire]:
    """A server with the page's model, the poster model, and one for the project `insiders` alone."""
    models = tmp_path_factory.mktemp("models")
    shutil.copy(MODELS / "flux-2-flex-t2i.toml", models)
    shutil.copy(HERE / "studio.toml", models)
    secret = (HERE / "studio.toml").read_text("utf-8")
    secret = secret.replace("id = 7001", 'id = 9\nonly_projects = ["insiders"]')
    secret = secret.replace('"Poster.2 draft"', '"secret"').replace('"poster"]', '"poster", "workflow"]')
    (models / "secret.toml").write_text(secret, "utf-8")
    with start_wire(tmp_path_factory.mktemp("studio"), models=models) as wire:
        yield wire


@pytest.fixture(scope="module")
def insider(studio: Wire) -> Caller:
    return studio.project(name="insiders")


def found(wire: Wire, caller: Caller | None = None, **body: Any) -> list[str]:
    """The ids of the models that a Tool/List finds; anonymously if nobody calls."""
    headers = caller.headers() if caller else {}
    answer = wire.http.post(LIST, json=body, headers=headers).json()
    assert answer["result"] is True
    assert answer["total"] == len(answer["tool"])
    return [item["id"] for item in answer["tool"]]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wire]:
    """A server with more models than one page may have."""
    models = tmp_path_factory.mktemp("library")
    page = (HERE / "studio.toml").read_text("utf-8")
    for number in range(1, MANY + 1):
        other = page.replace("id = 7001", f"id = {number}").replace('"Poster.2 draft"', f'"poster {number}"')
        (models / f"{number}.toml").write_text(other, "utf-8")
    with start_wire(tmp_path_factory.mktemp("shelf"), models=models) as wire:
        yield wire


@pytest.mark.parametrize(
    ("asked", "start", "count"),
    [
        ({"limit": 101}, 0, 100),
        ({"limit": "1000"}, 0, 100),
        ({"limit": 10**30}, 0, 100),
        ({"limit": "100", "start": "60"}, 60, MANY - 60),
        ({}, 0, 20),
        ({"limit": ""}, 0, 20),
        ({"limit": 0}, 0, 1),
        ({"limit": "-5"}, 0, 1),
        ({"limit": 2, "start": -3}, 0, 2),
        ({"limit": 1, "start": MANY}, MANY, 0),
    ],
)
def test_check_59_a_page_has_one_to_a_hundred_models(
    library: Wire, asked: dict[str, Any], start: int, count: int
) -> None:
    answer = library.http.post(LIST, json={"sort": "id", "order": "ASC", **asked}).json()

    ids = [int(item["id"]) for item in answer["tool"]]
    assert ids == list(range(1, MANY + 1))[start : start + count]
    assert (answer["result"], answer["total"]) == (True, MANY)


def test_check_60_every_type_of_parameter_reaches_the_wire(studio: Wire) -> None:
    (item,) = studio.http.post(DETAIL, json=POSTER).json()["tool"]

    picture, finer = item["parameters"]
    parameters = {each["id"]: each for each in [*picture["items"], *finer["items"]]}
    assert {each["type"] for each in parameters.values()} == set(TYPES)
    assert parameters["prompt"]["placeholder"] == "what to draw"
    assert parameters["caption"]["description"] == "Several lines are kept as they are."
    assert parameters["guidance"] == {
        "id": "guidance",
        "type": "float",
        "label": "Guidance",
        "note": "",
        "required": False,
        "advanced": True,
        "default": 3.5,
        "min": 1,
    }
    assert parameters["seed"]["default"] == 0
    assert item["slugproject"] == "Poster.2 draft"
    assert item["inspire"] == [{"prompt": "a lighthouse", "steps": 4, "mood": "calm"}]


def test_a_second_model_runs_with_its_own_rules(studio: Wire) -> None:
    run = "/v1/Run/Studio North/Poster.2 draft"

    refused = studio.post(run, {"prompt": "x", "width": 1024, "mood": "dull"}).json()
    accepted = studio.post(run, {"prompt": "x"}).json()

    assert [error["message"] for error in refused["errors"]] == [
        "Request parameter [width] must be between 64 and 512",
        "Request parameter [mood] must be one of calm, wild",
    ]
    task = studio.detail(accepted)
    assert (task["modelid"], task["modelslugproject"]) == ("7001", "Poster-2-draft")
    assert task["cps"] == "0.001000000000"


def test_check_62_a_dynamic_price_is_text_that_parses(studio: Wire) -> None:
    items = studio.http.post(LIST, json={"search": "poster"}).json()["tool"]

    (prices,) = [json.loads(item["dynamicprice"]) for item in items]
    assert prices == [
        {"inputs": {"inputImage": "QUANTITY:2"}, "price": 0.05, "priceMethod": "cpr"},
        {
            "inputs": {"mood": "calm"},
            "price": 0.0125,
            "priceMethod": "cp-pixel",
            "priceExtra": 0.005,
            "priceInput": 0.001,
        },
    ]


@pytest.mark.parametrize(
    ("asked", "ids"),
    [
        ({}, ["598", "7001"]),
        ({"sort": "id", "order": "DESC"}, ["7001", "598"]),
        ({"sort": "time", "order": "desc"}, ["7001", "598"]),
        ({"sort": "averagepoint", "order": "DESC"}, ["598", "7001"]),
        ({"sort": "colour", "order": "sideways"}, ["598", "7001"]),
        ({"search": "POSTER"}, ["7001"]),
        ({"search": "image print"}, ["7001"]),
        ({"search": "image kettle"}, []),
        ({"search": "image"}, ["598", "7001"]),
        ({"search": "draft image", "sort": "relevance"}, ["7001"]),
        ({"search": "text to image", "sort": "relevance"}, ["598", "7001"]),
        ({"search": "quickly"}, ["7001"]),
        ({"search": "o", "sort": "relevance", "order": "DESC"}, ["7001", "598"]),
        ({"search": "o", "sort": "relevance"}, ["7001", "598"]),
        ({"search": "o", "sort": "relevance", "order": "ASC"}, ["598", "7001"]),
        ({"sort": "relevance"}, ["598", "7001"]),
        ({"categories[]": ["poster"]}, ["7001"]),
        ({"tags": ["print", "kettle"]}, ["7001"]),
        ({"slugowner": "STUDIO NORTH"}, ["7001"]),
        ({"slugowner": "studio-north", "categories": ["bfl"]}, []),
    ],
)
def test_models_are_filtered_and_sorted(studio: Wire, asked: dict[str, Any], ids: list[str]) -> None:
    assert found(studio, **asked) == ids


def test_pages_of_a_list_do_not_overlap(studio: Wire) -> None:
    pages = [studio.http.post(LIST, json={"start": start, "limit": 1}).json() for start in range(3)]

    assert [page["total"] for page in pages] == [2, 2, 2]
    assert [[item["id"] for item in page["tool"]] for page in pages] == [["598"], ["7001"], []]


def test_workflows_can_be_left_out(studio: Wire, insider: Caller) -> None:
    assert found(studio, insider) == ["9", "598", "7001"]
    assert found(studio, insider, hideworkflows="true") == ["598", "7001"]


def test_a_model_of_some_projects_is_hidden_from_all_others(studio: Wire, insider: Caller) -> None:
    for caller in (None, studio.caller):
        headers = caller.headers() if caller else {}
        detail = studio.http.post(DETAIL, json=SECRET, headers=headers)
        explored = studio.http.post(EXPLORE, json={}, headers=headers).json()

        assert "9" not in found(studio, caller)
        assert (detail.status_code, detail.json()) == (
            200,
            {"tool": [], "errors": NO_ACCESS, "result": False},
        )
        assert all(item["id"] != "9" for group in explored["explore"] for item in group["tools"])
    assert studio.post(DETAIL, SECRET, caller=insider).json()["tool"][0]["id"] == "9"


def test_only_its_projects_run_a_model(studio: Wire, insider: Caller) -> None:
    run = "/v1/Run/studio-north/secret"

    refused = studio.post(run, {"prompt": "x"})
    accepted = studio.post(run, {"prompt": "x"}, caller=insider)

    assert (refused.status_code, refused.json()) == (200, {"errors": NO_ACCESS, "result": False})
    assert accepted.json()["result"] is True


def test_check_63_exploring_shows_models_by_category(studio: Wire) -> None:
    answer = studio.http.post(EXPLORE, json={}).json()

    groups = {group["name"]: group for group in answer["explore"]}
    assert (answer["result"], answer["errors"]) == (True, [])
    assert [group["name"] for group in answer["explore"]] == [
        "text-to-image",
        "tool",
        "bfl",
        "flux-2-flex",
        "partner",
        "poster",
    ]
    assert {name: group["total"] for name, group in groups.items()}["tool"] == 2
    assert (groups["text-to-image"]["id"], groups["text-to-image"]["title"]) == (
        "text-to-image",
        "Text to image",
    )
    assert [item["id"] for item in groups["poster"]["tools"]] == ["7001"]
    assert "parameters" in groups["poster"]["tools"][0]


def test_exploring_in_short_leaves_out_what_is_long(studio: Wire) -> None:
    answer = studio.http.post(EXPLORE, json={"summary": True}).json()

    items = [item for group in answer["explore"] for item in group["tools"]]
    assert items
    assert all("parameters" not in item for item in items)


def test_exploring_needs_no_key_but_no_wrong_one(studio: Wire) -> None:
    assert studio.http.post(EXPLORE).json()["result"] is True
    assert studio.http.post(EXPLORE, headers={"x-api-key": "wrong"}).status_code == 401
