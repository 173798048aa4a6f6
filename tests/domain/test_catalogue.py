"""The models on offer, and every spelling of their names."""

from pathlib import Path

import pytest

import tintype
from tintype.domain.catalogue import Catalogue, Model, clean_slug, load_catalogue
from tintype.domain.errors import BadCatalogue, UnknownModel
from tintype.domain.placement import Dtype, Offload, Quantisation
from tintype.domain.source import Source

PAGE = Path(tintype.__file__).parent / "models" / "flux-2-flex-t2i.toml"


def spaced(**changes: object) -> Catalogue:
    named = {"owner": "Black Forest Labs", "project": "FLUX.2 flex", **changes}
    return Catalogue((Model(id=1, title="t", description="d", cps="0", parameters=(), **named),))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("owner", "project"),
    [
        ("Black Forest Labs", "FLUX.2 flex"),
        ("black-forest-labs", "flux-2-flex"),
        ("BLACK-FOREST-LABS", "flux.2 FLEX"),
        ("black%20forest%20labs", "flux%2E2%20flex"),
        (" black-forest-labs", "flux-2-flex "),
        ("%20black-forest-labs", "flux-2-flex%20"),
    ],
)
def test_check_30_31_a_model_answers_to_display_and_clean_slugs_in_any_case(owner: str, project: str) -> None:
    assert spaced().find(owner, project).slug == "Black-Forest-Labs/FLUX-2-flex"


@pytest.mark.parametrize(
    ("owner", "project"), [("", ""), ("black-forest-labs", "flux-3"), ("labs", "flux-2-flex")]
)
def test_check_32_an_unknown_model_is_not_found(owner: str, project: str) -> None:
    with pytest.raises(UnknownModel, match=r"^slug-owner-project-not-exist$"):
        spaced().find(owner, project)


def test_clean_slugs_have_dashes_for_spaces_and_dots() -> None:
    assert clean_slug("FLUX.2 flex") == "FLUX-2-flex"


def test_the_page_s_model_is_told_as_on_its_page(model: Model) -> None:
    assert (model.id, model.description, model.cps) == (598, "flux-2-flex", "0.000585")
    assert model.categories == ("tool", "bfl", "text-to-image", "partner", "flux-2-flex")
    assert model.tags == ("image generation",)
    assert [item.label for item in model.items()] == [
        "Prompt",
        "Width",
        "Height",
        "Guidance",
        "Steps",
        "Safety Tolerance",
        "Seed",
        "Output Format",
    ]


def test_there_are_the_page_s_four_sample_prompts(model: Model) -> None:
    beginnings = ("A photorealistic close-up", "A cinematic view", "A highly-detailed", "A cute dog")

    assert len(model.inspire) == 4
    for sample, beginning in zip(model.inspire, beginnings, strict=True):
        assert sample["prompt"].startswith(beginning)


def test_a_page_with_a_slip_is_refused_with_its_file_and_the_slip(tmp_path: Path) -> None:
    page = PAGE.read_text().replace("multiple_of", "multipel_of", 1)
    (tmp_path / "slip.toml").write_text(page)

    with pytest.raises(BadCatalogue, match=r"slip\.toml.*multipel_of"):
        load_catalogue(tmp_path)


def test_one_model_is_described_once(tmp_path: Path) -> None:
    page = PAGE.read_text()
    (tmp_path / "a.toml").write_text(page)
    (tmp_path / "b.toml").write_text(page)

    with pytest.raises(BadCatalogue, match="described twice"):
        load_catalogue(tmp_path)


def test_a_folder_without_models_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadCatalogue, match="no model is described here"):
        load_catalogue(tmp_path)


def test_only_pictures_that_a_model_names_are_given_out(tmp_path: Path) -> None:
    covers = tmp_path / "covers"
    covers.mkdir()
    (covers / "cover.png").write_bytes(b"picture")
    (covers / "other.png").write_bytes(b"picture")
    catalogue = Catalogue(spaced(cover="cover.png", samples=("gone.png",)).models, folder=tmp_path)

    assert catalogue.picture("cover.png") == covers / "cover.png"
    assert catalogue.picture("other.png") is None
    assert catalogue.picture("gone.png") is None
    assert catalogue.picture("../cover.png") is None


def test_a_task_keeps_a_page_when_its_model_is_no_longer_on_offer() -> None:
    page = spaced().page_of("old-labs/retired-model")

    assert (page.id, page.slug, page.categories) == (0, "old-labs/retired-model", ())


def catalogue_of(folder: Path, **pages: str) -> Catalogue:
    """Pages like the shipped one, of `labs/<name>`, each with some lines of its own."""
    usual = PAGE.read_text().replace("black-forest-labs", "labs")
    for number, (name, lines) in enumerate(pages.items(), start=1):
        page = usual.replace("id = 598", f"id = {number}").replace('"flux-2-flex-t2i"', f'"{name}"')
        (folder / f"{name}.toml").write_text(f"{lines}\n{page}")
    return load_catalogue(folder)


LORA = 'base = "labs/plain"\nlora = "ink.safetensors"'


def test_a_page_says_what_draws_it(tmp_path: Path) -> None:
    (tmp_path / "klein").mkdir()
    catalogue = catalogue_of(
        tmp_path,
        plain="",
        beside='weights = "klein"',
        hub='weights = "labs/weights"',
        ink=f"{LORA}\nstrength = 0.5",
        chalk='base = "labs/beside"\nlora = "/srv/chalk.safetensors"',
        small='quantisation = "int8"\ndtype = "bfloat16"\noffload = "text"',
        inked='base = "labs/small"\nlora = "/srv/chalk.safetensors"',
    )

    klein, ink = str(tmp_path / "klein"), str(tmp_path / "ink.safetensors")
    assert catalogue.source_of("labs/plain") == Source()
    assert catalogue.source_of("labs/beside") == Source(weights=klein)
    assert catalogue.source_of("labs/hub") == Source(weights="labs/weights")
    assert catalogue.source_of("labs/ink") == Source(lora=ink, strength=0.5)
    assert catalogue.source_of("labs/chalk") == Source(weights=klein, lora="/srv/chalk.safetensors")
    small = Source(dtype=Dtype.BFLOAT16, offload=Offload.TEXT, quantisation=Quantisation.INT8)
    assert catalogue.source_of("labs/small") == small == catalogue.source_of("labs/inked").base
    with pytest.raises(UnknownModel):
        catalogue.source_of("labs/retired")


def test_what_a_page_says_as_the_settings_do_is_the_same_model() -> None:
    usual = Source(weights="klein", dtype=Dtype.AUTO, offload=Offload.NONE, quantisation=Quantisation.INT8)

    assert Source().apart_from(usual) == Source()
    assert Source(weights="klein", quantisation=Quantisation.INT8).apart_from(usual) == Source()
    assert usual.apart_from(usual) == Source()
    other = Source(weights="dev", quantisation=Quantisation.NF4, lora="ink.safetensors")
    assert other.apart_from(usual) == other


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ('lora = "ink.safetensors"', "base and lora go together"),
        ('base = "labs/plain"', "base and lora go together"),
        (f'{LORA}\nweights = "klein"', "has its weights from there"),
        (f'{LORA}\nquantisation = "int8"', "of a model with a base are those of its base"),
        (f"{LORA}\nstrength = 0.0", "strength must be a number other than 0"),
        (f"{LORA}\nstrength = nan", "strength must be a number other than 0"),
        (LORA.replace("plain", "gone"), "base 'labs/gone' is no model of this catalogue"),
        (LORA.replace("plain", "other"), "base 'labs/other' has a base itself"),
    ],
)
def test_a_lora_needs_a_base_with_weights(lines: str, problem: str, tmp_path: Path) -> None:
    with pytest.raises(BadCatalogue, match=rf"bad\.toml: .*{problem}"):
        catalogue_of(tmp_path, plain="", other=LORA, bad=lines)


def test_a_number_format_that_there_is_not_is_named_with_its_page(tmp_path: Path) -> None:
    with pytest.raises(BadCatalogue, match=r"bad\.toml: .*'float16' - at `\$\.dtype`"):
        catalogue_of(tmp_path, bad='dtype = "float16"')
