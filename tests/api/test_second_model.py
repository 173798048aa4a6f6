"""A catalogue folder with one file more, really served: the second model is listed, run and charged."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api.wire import MODELS
from serving import Server, start_server, until

RUN = "/v1/Run/studio-north/poster-2-draft"


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that draws plain grey for the page's model and the poster model."""
    folder = tmp_path_factory.mktemp("studio")
    models = folder / "models"
    models.mkdir()
    shutil.copy(MODELS / "flux-2-flex-t2i.toml", models)
    shutil.copy(Path(__file__).parent / "studio.toml", models)
    with start_server(folder / "data", weights="blank:", catalogue=models) as server:
        yield server


def drawn(studio: Server, **inputs: Any) -> dict[str, Any]:
    answer = studio.post(f"{RUN}/sync", {"prompt": "a lighthouse", **inputs}).json()
    assert answer["result"] is True, answer
    task = answer["tasklist"][0]
    assert task["pexit"] == "0", task
    return dict(task)


def quoted(studio: Server, **inputs: Any) -> str:
    answer = studio.post(f"{RUN}?quote=1", {"prompt": "a lighthouse", **inputs}).json()
    return str(answer["quote"]["totalcost"])


def test_the_second_model_is_listed_with_its_tariffs(studio: Server) -> None:
    listed = studio.post("/v1/Tool/List", {"search": "poster"}).json()

    (item,) = listed["tool"]
    assert item["slugproject"] == "Poster.2 draft"
    assert [entry["priceMethod"] for entry in json.loads(item["dynamicprice"])] == ["cpr", "cp-pixel"]


def test_a_run_that_a_tariff_fits_is_quoted_and_charged_by_it(studio: Server) -> None:
    task = drawn(studio, mood="calm")

    assert quoted(studio, mood="calm") == task["totalcost"] == "0.012500000000"


def test_a_run_that_no_tariff_fits_is_charged_by_the_second(studio: Server) -> None:
    task = drawn(studio, mood="wild")

    thousandths = int(task["elapsedseconds"].replace(".", ""))
    assert task["totalcost"] == f"0.{thousandths * 100_000:012d}"
    assert task["cps"] == "0.001000000000"


def test_its_runs_are_counted(studio: Server) -> None:
    drawn(studio, mood="calm")
    page = {"slugowner": "studio-north", "slugproject": "poster-2-draft"}

    def counted() -> Any:
        item = studio.post("/v1/Tool/Detail", page).json()["tool"][0]
        return item if item["taskstat"]["runcount"] else None

    item = until(counted, within=20, what="the run to be counted")  # counts are kept for 10 s
    assert int(item["taskstat"]["successcount"]) == item["taskstat"]["runcount"]
    assert int(item["taskstat"]["lastruntime"]) > 0
