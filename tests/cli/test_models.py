"""`tintype models` shows the catalogue that the settings name, without a server."""

import json
import shutil
from pathlib import Path

from cli.commands import tintype

STUDIO = Path(__file__).parents[1] / "api" / "studio.toml"
MODEL = "black-forest-labs/flux-2-flex-t2i"


def test_the_models_that_come_along_are_listed(tmp_path: Path) -> None:
    listed = tintype("models", "list", cwd=tmp_path)

    assert listed.returncode == 0
    assert MODEL in listed.stdout
    assert "598" in listed.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_model_is_shown_with_what_its_inputs_accept(tmp_path: Path) -> None:
    shown = tintype("models", "show", MODEL, cwd=tmp_path).stdout

    assert "price:       $0.000585 cps" in shown
    assert "  width              number           default 1024, 64 to 2048, multiple of 16" in shown
    assert "  prompt             textarea         required" in shown
    assert "default png, jpeg | png" in shown


def test_a_catalogue_of_one_s_own_is_shown(tmp_path: Path) -> None:
    models = tmp_path / "models"
    models.mkdir()
    shutil.copy(STUDIO, models)

    shown = tintype("models", "show", "studio-north/poster-2-draft", cwd=tmp_path, catalogue=str(models))
    described = tintype("models", "list", "--json", cwd=tmp_path, catalogue=str(models))

    assert "$0.05 cpr inputImage = QUANTITY:2" in shown.stdout
    (page,) = json.loads(described.stdout)
    assert (page["id"], page["project"]) == (7001, "Poster.2 draft")


def test_a_model_that_is_not_there_is_refused_with_those_that_are(tmp_path: Path) -> None:
    refused = tintype("models", "show", "nobody/nothing", cwd=tmp_path)

    assert refused.returncode == 2
    assert "'nobody/nothing' is no model here; there is " in refused.stderr
    assert MODEL in refused.stderr


def test_a_page_with_a_slip_is_told_with_its_file(tmp_path: Path) -> None:
    models = tmp_path / "models"
    models.mkdir()
    (models / "slip.toml").write_text(STUDIO.read_text("utf-8").replace('"range"', '"rang"'), "utf-8")

    refused = tintype("models", "list", cwd=tmp_path, catalogue=str(models))

    assert refused.returncode == 2
    assert "slip.toml" in refused.stderr
    assert "parameter [steps] has the type 'rang'" in refused.stderr
