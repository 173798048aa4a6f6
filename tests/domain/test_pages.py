"""A model's page is checked when it is read, and a slip is told with its place."""

from pathlib import Path
from typing import Any

import pytest

import tintype
from tintype.domain.catalogue import load_catalogue
from tintype.domain.errors import BadCatalogue
from tintype.domain.inputs import read_inputs
from tintype.domain.parameter import NUMBERS, TYPES, Option, Parameter

PAGE = (Path(tintype.__file__).parent / "models" / "flux-2-flex-t2i.toml").read_text("utf-8")


def parameter(**fields: Any) -> Parameter:
    return Parameter(**{"id": "colour", "type": "text", "label": "Colour", **fields})


def refusal(folder: Path, page: str) -> str:
    """What is said about a page."""
    (folder / "page.toml").write_text(page, "utf-8")
    with pytest.raises(BadCatalogue) as refused:
        load_catalogue(folder)
    return str(refused.value)


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"id": "two words"}, "cannot be an id"),
        ({"id": "callbackUrl"}, "cannot be an id"),
        ({"type": "checkbox"}, "has the type 'checkbox', which is none of text, textarea, number"),
        ({"type": "select"}, "is a select without options"),
        ({"type": "select", "options": (Option("a", "A"), Option("a", "B"))}, "empty or stands there twice"),
        ({"options": (Option("a", "A"),)}, "has options, which a text cannot have"),
        ({"min": 0, "integer": True}, "has min, integer, which a text cannot have"),
        ({"type": "number", "min": 5, "max": 4}, "has a min of 5 above its max of 4"),
        ({"type": "number", "max": float("inf")}, "not finite"),
        ({"type": "range", "min": 5}, "is a range, which needs min and max"),
        ({"type": "number", "step": 0}, "has a step of 0"),
        ({"type": "integer", "fixed": 4.5}, "is fixed at 4.5, which is no whole number"),
        ({"type": "number", "fixed": float("nan")}, "is fixed at nan, which is no finite number"),
        ({"fixed": 4}, "has fixed, which a text cannot have"),
        ({"type": "number", "multiple_of": 16}, "needs integer = true"),
        ({"type": "number", "default": "8"}, "has the default '8', which is no number"),
        ({"type": "number", "min": 1, "max": 8, "default": 9}, "has the default 9, which is not between 1"),
        ({"type": "integer", "default": 1.5}, "has the default 1.5, which is no whole number"),
        ({"type": "integer", "multiple_of": 16, "default": 24}, "is no multiple of 16"),
        ({"default": 1}, "has the default 1, which is no text"),
        (
            {"type": "select", "options": (Option("a", "A"),), "default": "b"},
            "has the default 'b', which is none of a",
        ),
        ({"type": "fileinput", "default": "a.png"}, "has a default, which files cannot have"),
    ],
)
def test_a_parameter_that_contradicts_itself_is_refused(fields: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=r"^parameter \[.*\] ") as refused:
        parameter(**fields)

    assert problem in str(refused.value)


@pytest.mark.parametrize("kind", TYPES)
def test_every_type_of_the_protocol_can_be_described(kind: str) -> None:
    fields: dict[str, Any] = {"min": 0, "max": 9} if kind in NUMBERS else {}
    if kind == "select":
        fields["options"] = (Option("a", "A"),)

    assert parameter(type=kind, **fields).type == kind


def test_a_default_of_0_may_mean_that_nothing_is_set() -> None:
    assert parameter(type="number", min=64, max=2048, default=0, zero_is_unset=True).default == 0


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('type = "textarea"', 'type = "colour"', "parameter [prompt] has the type 'colour'"),
        ('id = "seed"', 'id = "width"', "two parameters have the same id"),
        ('id = "seed"', 'id = "sead"', "engines need a parameter [seed] of the type"),
        ("default = 50\n", "", "parameter [steps] needs a default, or required = true"),
        ('value = "jpeg"', 'value = "gif"', "parameter [outputFormat] can offer only jpeg and png"),
        ("inspire = [", "inspire = [ { colour = 'red' },", "inspire names colour"),
        ('cps = "0.000585"', 'cps = "cheap"', "'cheap' is no price"),
        ('cps = "0.000585"', 'cps = "0.0000000000001"', "has more than 12 decimals"),
        ('cps = "0.000585"', 'cps = "-1"', "-1 is no price"),
        ("id = 598", "id = 0", "the id must be 1 or more"),
        ('project = "flux-2-flex-t2i"', 'project = "a/b"', "project must be a name without slashes"),
        ('label = "Width"', 'label = "Width"\nlabels = 1', "labels"),
    ],
)
def test_a_page_with_a_slip_is_refused(tmp_path: Path, old: str, new: str, problem: str) -> None:
    assert old in PAGE

    told = refusal(tmp_path, PAGE.replace(old, new, 1))

    assert "page.toml: " in told
    assert problem in told


def test_two_models_cannot_share_an_id(tmp_path: Path) -> None:
    (tmp_path / "first.toml").write_text(PAGE, "utf-8")

    told = refusal(tmp_path, PAGE.replace('project = "flux-2-flex-t2i"', 'project = "other"'))

    assert "another model has the id 598 already" in told


def test_a_bound_on_one_side_is_told_alone(tmp_path: Path) -> None:
    (tmp_path / "page.toml").write_text(PAGE.replace("max = 4294967295\n", "", 1), "utf-8")
    model = load_catalogue(tmp_path).models[0]

    with pytest.raises(Exception, match=r"\[seed\] must be at least 0"):
        read_inputs(model, {"prompt": "", "seed": -1})
