"""Section 12: the models on offer."""

import json
import re
from decimal import Decimal
from typing import Any

import pytest

from api.wire import PUBLIC_URL, Wire
from tintype.domain.money import cost, dollars, picodollars

ALL = ["598", "599"]
LIST, DETAIL = "/v1/Tool/List", "/v1/Tool/Detail"
PAGE = {"slugowner": "black-forest-labs", "slugproject": "flux-2-flex-t2i"}


def listed(wire: Wire, **body: Any) -> list[str]:
    """The ids of the models that a Tool/List finds."""
    response = wire.http.post(LIST, json=body)
    answer = response.json()
    assert (response.status_code, answer["result"], answer["errors"]) == (200, True, [])
    assert isinstance(answer["total"], int)
    assert answer["total"] >= len(answer["tool"])
    return [item["id"] for item in answer["tool"]]


def tool(wire: Wire, **body: Any) -> dict[str, Any]:
    answer = wire.http.post(DETAIL, json={**PAGE, **body}).json()
    assert (answer["result"], answer["errors"], len(answer["tool"])) == (True, [], 1)
    return dict(answer["tool"][0])


def test_check_58_empty_filters_filter_nothing(wire: Wire) -> None:
    empty = {"categories": [], "tags": [], "search": "", "slugowner": "", "hideworkflows": True, "sort": ""}

    assert listed(wire) == listed(wire, **empty) == listed(wire, categories=[""], tags=None) == ALL
    items = wire.http.post(LIST, json=empty).json()["tool"]
    assert all(isinstance(item["categories"], list) for item in items)


@pytest.mark.parametrize("asked", [{"start": "0", "limit": "1"}, {"start": 0, "limit": 1}, {"limit": 1000}])
def test_check_59_pages_are_asked_for_in_numbers_or_text(wire: Wire, asked: dict[str, Any]) -> None:
    limit = int(asked["limit"])
    assert listed(wire, **asked) == ALL[:limit]
    assert listed(wire, **{**asked, "start": "1"}) == ALL[1 : 1 + limit]
    assert listed(wire, **{**asked, "start": "2"}) == []


@pytest.mark.parametrize(
    "fitting",
    [
        {"search": "FLUX"},
        {"search": "image  generation"},
        {"search": "Black-Forest"},
        {"categories": ["text-to-image", "video"]},
        {"categories": "bfl"},
        {"categories[]": ["bfl"]},
        {"tags": ["image generation"]},
        {"slugowner": " Black-Forest-Labs"},
        {"sort": "relevance", "order": "ASC"},
        {"sort": "nonsense", "order": 5},
    ],
)
def test_filters_find_what_fits(wire: Wire, fitting: dict[str, Any]) -> None:
    assert sorted(listed(wire, **fitting)) == ALL


@pytest.mark.parametrize(
    "other", [{"search": "flux cat"}, {"categories": ["video"]}, {"tags": ["x"]}, {"slugowner": "forest"}]
)
def test_filters_leave_out_what_does_not(wire: Wire, other: dict[str, Any]) -> None:
    assert listed(wire, **other) == []


@pytest.mark.parametrize(
    "slugs",
    [
        PAGE,
        {"slugowner": "Black-Forest-Labs ", "slugproject": " FLUX-2-flex-t2i"},
        {"slugowner": "black%2Dforest-labs", "slugproject": "%20flux-2-flex-t2i"},
    ],
)
def test_check_60_a_model_s_page_by_its_slugs(wire: Wire, slugs: dict[str, str]) -> None:
    item = tool(wire, **slugs)

    assert (item["id"], item["cleanslugowner"], item["cleanslugproject"]) == ("598", *PAGE.values())
    (group,) = item["parameters"]
    parameters = {parameter["id"]: parameter for parameter in group["items"]}
    for parameter in parameters.values():
        assert None not in parameter.values()
        assert "" not in (parameter.get("min"), parameter.get("max"), parameter.get("step"))
    assert {name: parameters["width"][name] for name in ("default", "min", "max", "step")} == {
        "default": 1024,
        "min": 64,
        "max": 2048,
        "step": 16,
    }
    assert "min" not in parameters["prompt"]
    assert "default" not in parameters["prompt"]
    assert parameters["prompt"]["required"] is True
    assert parameters["width"]["note"] == "Width in pixels (must be multiple of 16)."
    assert parameters["outputFormat"]["options"] == [
        {"value": "jpeg", "label": "JPEG"},
        {"value": "png", "label": "PNG"},
    ]


def test_a_tool_item_has_the_protocol_s_types(wire: Wire) -> None:
    item = tool(wire)

    text = {"id", "title", "slugowner", "slugproject", "cleanslugowner", "cleanslugproject", "description"}
    text |= {"seotitle", "seodescription", "image", "computingtime", "readme", "onlymembers", "averagepoint"}
    text |= {"commentcount", "ratedusercount", "cps", "approximatelycost"}
    arrays = {"categories", "tags", "samples", "inspire", "parameters"}
    assert item.keys() == text | arrays | {"marketplace", "taskstat"}
    assert all(isinstance(item[name], str) for name in text)
    assert all(isinstance(item[name], list) for name in arrays)
    assert item["marketplace"] == 0
    assert item["cps"] == "0.000585000000"
    assert item["image"] == f"{PUBLIC_URL}/models/flux-2-flex-t2i.png"
    assert item["tags"] == ["image generation"]
    assert [sample.keys() for sample in item["inspire"]] == [{"prompt"}] * 4
    assert "pictogram" in item["readme"]


def test_check_61_an_unknown_model_is_http_200_and_an_empty_list(wire: Wire) -> None:
    for slugs in ({}, {"slugowner": "a", "slugproject": "b"}, {"slugowner": 1, "slugproject": None}):
        response = wire.http.post(DETAIL, json=slugs)

        assert (response.status_code, response.json()) == (
            200,
            {
                "result": False,
                "errors": [{"code": 1, "message": "slug-owner-project-not-exist"}],
                "tool": [],
            },
        )


def test_check_62_a_dynamic_price_if_any_is_text_that_parses(wire: Wire) -> None:
    assert isinstance(json.loads(tool(wire).get("dynamicprice", "[]")), list)


def test_a_summary_is_short(wire: Wire) -> None:
    for summary in (True, "true"):
        assert tool(wire, summary=summary).keys().isdisjoint({"readme", "inspire", "samples", "parameters"})


def test_a_tool_counts_its_runs(wire: Wire) -> None:
    from tintype.storage.statistics import runs_by_model

    wire.finish(wire.run())
    wire.fail(wire.run())

    runs = wire.do(wire.service.database.read(runs_by_model))["black-forest-labs/flux-2-flex-t2i"]

    assert runs.successes > 0
    assert runs.failures > 0
    assert runs.all >= runs.successes + runs.failures
    assert runs.average_elapsed == runs.average_elapsed.quantize(Decimal("0.0001"))
    item = tool(wire)
    stat = item["taskstat"]
    assert isinstance(stat["runcount"], int)
    assert all(isinstance(stat[name], str) for name in ("successcount", "errorcount", "lastruntime"))
    assert re.fullmatch(r"\d+ seconds", item["computingtime"])
    assert item["approximatelycost"].startswith("0.")
    assert dollars(cost(Decimal("6.0000"), picodollars("0.000585"))) == "0.003510000000"


@pytest.mark.parametrize(
    "name", ["flux-2-flex-t2i.toml", "..%2Fflux-2-flex-t2i.toml", "%2e%2e/x.png", "x.png"]
)
def test_only_pictures_of_models_are_served_beside_the_api(wire: Wire, name: str) -> None:
    response = wire.http.get(f"/models/{name}")

    assert response.status_code == 404
    assert response.json()["errors"] == [{"code": 0, "message": "Error parsing url."}]


def test_a_search_is_read_up_to_its_200th_character(wire: Wire) -> None:
    assert listed(wire, search="flux".ljust(200) + "nonsense") == ALL
    assert listed(wire, search="flux".ljust(192) + "nonsense") == []


def test_a_search_is_read_up_to_its_16th_word(wire: Wire) -> None:
    parts = ["flux", "f", "l", "u", "x", "fl", "lu", "ux", "flu", "lux", "b", "la", "ck", "bl", "ac", "k"]
    assert listed(wire, search=" ".join([*parts, "flux", "zzz"])) == ALL
    assert listed(wire, search=" ".join([*parts[:15], "flux", "zzz"])) == []
