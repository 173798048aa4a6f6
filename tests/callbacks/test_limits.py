"""How many attempts may be under way."""

from msgspec.structs import replace

from callbacks.test_schedule import tried
from tintype.callbacks.limits import IN_ALL, PER_HOST, PER_PROJECT, Limits
from tintype.domain.callback import Callback


def to(host: str, *, project: int = 1) -> Callback:
    return replace(tried(1), host=host, project_id=project)


def test_a_host_has_a_few_at_once() -> None:
    limits = Limits()

    taken = limits.take_from([*([to("slow")] * 9), to("quick")])

    assert [callback.host for callback in taken] == ["slow"] * PER_HOST + ["quick"]
    assert limits.full_hosts == {"slow"}


def test_a_project_with_many_hosts_leaves_room_for_others() -> None:
    limits = Limits()

    taken = limits.take_from([to(f"host{n}") for n in range(IN_ALL)])

    assert len(taken) == PER_PROJECT
    assert limits.full_projects == {1}
    assert limits.take(to("host", project=2))


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
