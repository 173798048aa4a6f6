"""A server with distilled weights: the page says what is fixed, and the documented commands still work."""

from collections.abc import Iterator
from typing import Any

import pytest

from serving import Server, start_server
from tintype.engine.images.metadata import read_inputs

RUN = "/v1/Run/black-forest-labs/flux-2-flex-t2i/sync"
PAGE = {"slugowner": "black-forest-labs", "slugproject": "flux-2-flex-t2i"}
SIZE = {"prompt": "a red kite", "width": 64, "height": 64}


@pytest.fixture(scope="module")
def distilled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    from engine.checkpoints import write_checkpoint

    folder = tmp_path_factory.mktemp("distilled")
    weights = write_checkpoint(folder / "tiny", distilled=True)
    with start_server(folder / "data", weights=weights) as server:
        yield server


def test_the_page_shows_what_is_fixed(distilled: Server) -> None:
    (tool,) = distilled.post("/v1/Tool/Detail", PAGE).json()["tool"]
    items = {item["id"]: item for group in tool["parameters"] for item in group["items"]}

    for name, value in (("steps", 4), ("guidance", 1.0)):
        assert [items[name][key] for key in ("default", "min", "max")] == [value] * 3
        assert f"always draws with {value:g}" in items[name]["note"]
    assert items["width"]["max"] == 2048


@pytest.mark.parametrize("asked", [{"steps": 20, "guidance": 7.5}, {}], ids=["documented", "defaults"])
def test_other_steps_and_guidance_are_accepted_and_change_nothing(
    distilled: Server, asked: dict[str, Any]
) -> None:
    answer = distilled.post(RUN, SIZE | asked).json()

    (task,) = answer["tasklist"]
    assert task["pexit"] == "0", task
    assert task["parameters"] == SIZE | asked
    url: str = task["outputs"][0]["url"]
    drawn = read_inputs(distilled.get(url.removeprefix(distilled.url)).content)
    assert (drawn["steps"], drawn["guidance"]) == (4, 1.0)


def test_steps_that_no_model_of_the_page_takes_are_refused_as_ever(distilled: Server) -> None:
    answer = distilled.post(RUN, SIZE | {"steps": 51}).json()

    assert answer["errors"][0]["message"] == "Request parameter [steps] must be between 1 and 50"
