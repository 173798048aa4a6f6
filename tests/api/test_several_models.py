"""A catalogue whose pages have weights of their own, really served: each is drawn by its own model."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from subprocess import run
from typing import Any

import pytest

from api.wire import MODELS
from engine.checkpoints import variant
from engine.loras import write_lora
from serving import Server, server_environment, start_server
from tintype.domain.placement import Placement
from tintype.engine.flux2.load import expected_bytes
from tintype.engine.images.metadata import read_metadata

PAGES = {
    "plain": "",
    "second": 'weights = "second"',
    "ink": 'base = "labs/plain"\nlora = "ink.safetensors"\nstrength = 0.5',
    "half": 'dtype = "bfloat16"',
    "gone": 'weights = "/srv/gone"',
}


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory, tiny_checkpoint: Path) -> Path:
    folder = tmp_path_factory.mktemp("catalogue")
    page = (MODELS / "flux-2-flex-t2i.toml").read_text().replace("black-forest-labs", "labs")
    for number, (name, lines) in enumerate(PAGES.items(), start=1):
        named = page.replace("id = 598", f"id = {number}").replace('"flux-2-flex-t2i"', f'"{name}"')
        (folder / f"{name}.toml").write_text(f"{lines}\n{named}")
    variant(tiny_checkpoint, folder / "second")
    write_lora(tiny_checkpoint, folder / "ink.safetensors")
    return folder


@pytest.fixture(scope="module")
def settings(catalogue: Path, tiny_checkpoint: Path) -> dict[str, Any]:
    """Room for a model and a half."""
    memory = 1.5 * expected_bytes(str(tiny_checkpoint), Placement(device="cpu")) / 2**30
    return {"weights": tiny_checkpoint, "catalogue": catalogue, "model_memory": memory}


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory, settings: dict[str, Any]) -> Iterator[Server]:
    with start_server(tmp_path_factory.mktemp("several") / "data", **settings) as server:
        yield server


def ended(studio: Server, model: str) -> dict[str, Any]:
    inputs = {"prompt": "a red kite", "width": 64, "height": 64, "steps": 4, "seed": 7}
    answer = studio.post(f"/v1/Run/labs/{model}/sync", inputs).json()
    assert answer["result"] is True, answer
    return dict(answer["tasklist"][0])


def drawn(studio: Server, model: str) -> bytes:
    task = ended(studio, model)
    assert task["pexit"] == "0", task
    return studio.get(task["outputs"][0]["url"].removeprefix(studio.url)).content


def standing(studio: Server, settings: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What `tintype models status` says, by model."""
    command = [sys.executable, "-m", "tintype", "models", "status", "--json"]
    environment = server_environment(studio.data, 1, **settings)
    done = run(command, env=environment, capture_output=True, text=True, check=True, timeout=100)
    return {row["model"]: row for row in json.loads(done.stdout)}


def test_models_come_and_go_and_each_draws_its_own_pictures(studio: Server, settings: dict[str, Any]) -> None:
    at_first = standing(studio, settings)
    first = {name: drawn(studio, name) for name in ("plain", "second", "ink")}
    then = standing(studio, settings)
    again = {name: drawn(studio, name) for name in ("ink", "second", "plain")}

    assert {row["state"] for name, row in at_first.items() if name != "labs/ink"} == {"loaded", "not loaded"}
    assert (then["labs/ink"]["state"], then["labs/second"]["state"]) == ("loaded", "evicted")
    assert then["labs/plain"]["bytes"] > then["labs/ink"]["bytes"] > 0
    assert first == again
    assert len(set(first.values())) == 3
    assert read_metadata(first["ink"])["checkpoint"] == "tiny + ink × 0.5"


def test_a_page_says_in_which_numbers_it_is_drawn(studio: Server) -> None:
    half, plain = (read_metadata(drawn(studio, name))["arithmetic"] for name in ("half", "plain"))

    assert half == {**plain, "dtype": "bfloat16"}
    assert plain["dtype"] == "float32"


def test_a_model_that_is_not_there_fails_its_own_tasks_with_a_clear_reason(
    studio: Server, settings: dict[str, Any]
) -> None:
    task = ended(studio, "gone")

    assert task["pexit"] == "1"
    assert "The model cannot be loaded: there is no such folder" in task["debugerror"]
    assert standing(studio, settings)["labs/gone"]["state"] == "failed"
    assert drawn(studio, "plain")
