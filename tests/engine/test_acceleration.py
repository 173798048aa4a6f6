"""What makes drawing faster, in words."""

import pytest

from tintype.domain.errors import BadAcceleration
from tintype.engine.acceleration import NONE, Acceleration, Use, read_acceleration


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("auto", Acceleration()),
        ("off", NONE),
        ("compile=on", Acceleration(compile=Use.ON)),
        (
            "attention=_native_cudnn, graphs=off, fp8=on, fused=on",
            Acceleration(attention="_native_cudnn", graphs=Use.OFF, fp8=Use.ON, fused=Use.ON),
        ),
    ],
)
def test_parts_that_are_not_named_are_left_to_the_machine(text: str, meant: Acceleration) -> None:
    assert read_acceleration(text) == meant


@pytest.mark.parametrize(
    "wishes", [Acceleration(), NONE, Acceleration(attention="native", fp8=Use.ON, compile=Use.ON)]
)
def test_what_is_wished_for_survives_being_written_down(wishes: Acceleration) -> None:
    assert read_acceleration(str(wishes)) == wishes


@pytest.mark.parametrize("text", ["", "fast", "compile", "compile=maybe", "fp8=auto", "attention=", "gpu=on"])
def test_other_words_say_which_are_right(text: str) -> None:
    with pytest.raises(BadAcceleration, match=r"is no acceleration; right are auto, off, or such .*compile="):
        read_acceleration(text)
