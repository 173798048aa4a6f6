"""What a person sees of a picture on its way."""

import pytest

from tintype.cli.display import detail


@pytest.mark.parametrize(
    ("known", "words"),
    [
        ((None, None, None), ""),
        ((0, 50, None), "step 0 of 50"),
        ((12, 50, 4.14), "step 12 of 50, 4.1/s, 9 s left"),
        ((10, 50, 0.5), "step 10 of 50, 0.5/s, 1 min 20 s left"),
        ((49, 50, 90.0), "step 49 of 50, 90.0/s, 1 s left"),
        ((50, 50, 4.0), "step 50 of 50, 4.0/s"),
    ],
)
def test_steps_speed_and_the_time_left_are_told_as_far_as_they_are_known(
    known: tuple[int | None, int | None, float | None], words: str
) -> None:
    assert detail(*known) == words
