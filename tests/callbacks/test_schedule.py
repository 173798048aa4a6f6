"""When a failed callback is sent again."""

import pytest

from tintype.callbacks.schedule import Schedule
from tintype.domain.callback import Callback, Delivery

SECOND = 1_000_000
HOUR = 3600 * SECOND
BEGUN = 1_734_513_800 * SECOND


def tried(times: int) -> Callback:
    return Callback(
        id=1,
        message_id="msg_1",
        task_id=1,
        project_id=1,
        url="http://shop.example/",
        host="shop.example:80",
        state=Delivery.DUE,
        attempts=times,
        tries=times,
        begun=BEGUN,
        due=0,
        ended=0,
    )


def whole_life(schedule: Schedule) -> list[int]:
    """Microseconds after the first attempt, at which each is made if all fail at once."""
    moments = [BEGUN]
    while (again := schedule.again(tried(len(moments)), now=moments[-1])) is not None:
        moments.append(again)
    return [moment - BEGUN for moment in moments]


@pytest.mark.parametrize("_", range(20))
def test_it_is_tried_again_after_seconds_and_for_about_a_day(_: int) -> None:
    moments = whole_life(Schedule())

    assert 4 * SECOND <= moments[1] <= 6 * SECOND
    assert moments[-1] == 24 * HOUR
    assert 12 <= len(moments) <= 14


def test_each_pause_is_longer_than_the_one_before() -> None:
    schedule = Schedule(first_retry=2)

    pauses = [schedule.pause(tries) for tries in range(1, 12)]

    assert pauses[:3] == [2, 5, 12.5]
    assert pauses == sorted(pauses)


def test_what_failed_together_comes_back_apart() -> None:
    schedule = Schedule()

    assert len({schedule.again(tried(5), now=BEGUN) for _ in range(100)}) > 90


def test_a_short_first_pause_is_for_as_long() -> None:
    assert whole_life(Schedule(first_retry=0.05))[-1] == 24 * HOUR
