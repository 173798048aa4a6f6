"""How many attempts may be under way."""

from collections import Counter

import pytest
from msgspec.structs import replace

from callbacks.test_schedule import tried
from tintype.callbacks.limits import IN_ALL, PER_HOST, Limits
from tintype.domain.callback import Callback


def to(host: str, *, project: int = 1) -> Callback:
    return replace(tried(1), host=host, project_id=project)


def test_a_host_has_a_few_at_once() -> None:
    limits = Limits()

    taken = limits.take_from([*([to("slow")] * 9), to("quick")])

    assert [callback.host for callback in taken] == ["slow"] * PER_HOST + ["quick"]
    assert limits.full_hosts == {"slow"}


@pytest.mark.parametrize(("projects", "each"), [(1, 64), (2, 42), (4, 25), (9, 12), (126, 1)])
def test_projects_with_many_slow_hosts_leave_room_for_the_next(projects: int, each: int) -> None:
    limits = Limits()
    waiting = [to(f"host{n}", project=1 + n % projects) for n in range(IN_ALL * projects)]

    taken = limits.take_from(waiting)

    shares = Counter(callback.project_id for callback in taken)
    assert set(shares.values()) <= {each, each + 1}
    assert limits.full_projects == set(shares)
    assert limits.take(to("host", project=0))


def test_who_comes_first_takes_no_more_than_half() -> None:
    limits = Limits()

    first = limits.take_from([to(f"host{n}", project=1) for n in range(IN_ALL)])
    second = limits.take_from([to(f"other{n}", project=2) for n in range(IN_ALL)])

    assert (len(first), len(second)) == (IN_ALL // 2, IN_ALL // 4)


def test_there_is_an_end_to_it() -> None:
    limits = Limits()

    taken = limits.take_from([to(f"host{n}", project=n) for n in range(IN_ALL + 9)])

    assert len(taken) == IN_ALL
    assert limits.room == 0


def test_who_leaves_makes_room() -> None:
    limits = Limits()
    taken = limits.take_from([to("slow")] * PER_HOST)

    for callback in taken:
        limits.leave(callback)

    assert (limits.full_hosts, limits.room) == (set(), IN_ALL)
    assert limits.take(to("slow"))
