"""From parameters as sent to inputs that can be drawn."""

from typing import Any

import pytest

from tintype.domain.catalogue import Catalogue, Model
from tintype.domain.errors import InvalidInputs
from tintype.domain.fixed import OPEN, Fixed
from tintype.domain.inputs import read_inputs

DEFAULTS = {
    "prompt": "",
    "width": 1024,
    "height": 1024,
    "guidance": 4.5,
    "steps": 50,
    "safetyTolerance": 2,
    "seed": 123,
    "outputFormat": "png",
}


def problems(model: Model, **parameters: Any) -> tuple[str, ...]:
    with pytest.raises(InvalidInputs) as refused:
        read_inputs(model, {"prompt": "a kite", **parameters})
    return refused.value.messages


def test_an_empty_prompt_alone_gives_the_page_s_defaults(model: Model) -> None:
    assert read_inputs(model, {"prompt": ""}) == DEFAULTS


def test_every_default_passes_its_own_check(catalogue: Catalogue) -> None:
    for model in catalogue.models:
        defaults = {item.id: item.default for item in model.items() if item.default is not None}

        files: dict[str, list[str]] = {item.id: [] for item in model.items() if item.is_file}
        assert read_inputs(model, {"prompt": "", **defaults}) == {"prompt": "", **defaults, **files}


@pytest.mark.parametrize("unset", ["", None])
def test_what_is_empty_is_not_set(model: Model, unset: str | None) -> None:
    assert read_inputs(model, {**dict.fromkeys(DEFAULTS, unset), "prompt": ""}) == DEFAULTS


@pytest.mark.parametrize("zero", [0, "0", 0.0, "0.0"])
def test_check_29_zero_is_unset_for_four_and_itself_for_two(model: Model, zero: Any) -> None:
    names = ("width", "height", "guidance", "steps", "seed", "safetyTolerance")

    inputs = read_inputs(model, {"prompt": "", **dict.fromkeys(names, zero)})

    assert inputs == {**DEFAULTS, "seed": 0, "safetyTolerance": 0}


def test_numbers_may_come_as_text(model: Model) -> None:
    inputs = read_inputs(model, {"prompt": "", "width": "512", "guidance": " 3.5 ", "seed": "1e3"})

    assert (inputs["width"], inputs["guidance"], inputs["seed"]) == (512, 3.5, 1000)


def test_check_84_a_prompt_is_required_and_may_be_empty(model: Model) -> None:
    for parameters in ({}, {"prompt": None}):
        with pytest.raises(InvalidInputs, match=r"^Request parameter \[prompt\] required$"):
            read_inputs(model, parameters)


@pytest.mark.parametrize(
    "value", ["abc", "1_000", "0x10", "inf", "nan", True, [512], {"a": 1}, "1" * 500, "١٢"]
)
def test_check_33_what_is_no_number_is_refused(model: Model, value: Any) -> None:
    assert problems(model, width=value) == ("Request parameter [width] must be integer or float",)


@pytest.mark.parametrize("value", [99999, "99999", 48, -16, 2064, 10**400, -(10**400), 1e300])
def test_check_34_what_is_out_of_range_is_refused(model: Model, value: Any) -> None:
    assert problems(model, width=value) == ("Request parameter [width] must be between 64 and 2048",)


@pytest.mark.parametrize(("name", "value"), [("steps", 2.5), ("seed", "0.5"), ("safetyTolerance", 1.01)])
def test_a_fraction_is_refused_where_whole_numbers_are_meant(model: Model, name: str, value: Any) -> None:
    assert problems(model, **{name: value}) == (f"Request parameter [{name}] must be an integer",)


def test_check_85_sizes_are_multiples_of_16(model: Model) -> None:
    assert problems(model, width=1000) == ("Request parameter [width] must be a multiple of 16",)
    assert read_inputs(model, {"prompt": "", "width": 2048, "height": 2048})["width"] == 2048


def test_check_86_a_seed_has_32_bits(model: Model) -> None:
    assert read_inputs(model, {"prompt": "", "seed": 4294967295})["seed"] == 4294967295
    assert problems(model, seed=4294967296) == ("Request parameter [seed] must be between 0 and 4294967295",)


def test_guidance_and_steps_have_the_page_s_ranges(model: Model) -> None:
    assert problems(model, guidance=1.4, steps=51) == (
        "Request parameter [guidance] must be between 1.5 and 10",
        "Request parameter [steps] must be between 1 and 50",
    )


def test_a_select_names_its_options(model: Model) -> None:
    assert problems(model, outputFormat="gif") == (
        "Request parameter [outputFormat] must be one of jpeg, png",
    )


def test_the_first_problem_of_every_parameter_is_told(model: Model) -> None:
    assert len(problems(model, width="x", height=7, seed=-1)) == 3


def test_unknown_parameters_are_left_out(model: Model) -> None:
    assert "colour" not in read_inputs(model, {"prompt": "", "colour": "red"})


def test_what_is_fixed_counts_whatever_is_sent(model: Model) -> None:
    distilled = model.fitted(Fixed(steps=4, guidance=1.0))

    for sent in ({}, {"steps": 20, "guidance": "7.5"}, {"steps": 0, "guidance": ""}):
        inputs = read_inputs(distilled, {"prompt": "a kite", **sent})
        assert (inputs["steps"], inputs["guidance"]) == (4, 1.0)


def test_what_is_fixed_is_checked_still(model: Model) -> None:
    distilled = model.fitted(Fixed(steps=4))

    assert problems(distilled, steps=51) == ("Request parameter [steps] must be between 1 and 50",)


def test_a_page_that_fixes_something_itself_keeps_it(model: Model) -> None:
    own = model.fitted(Fixed(steps=8))

    assert read_inputs(own.fitted(Fixed(steps=4)), {"prompt": ""})["steps"] == 8
    assert model.fitted(OPEN) == model
