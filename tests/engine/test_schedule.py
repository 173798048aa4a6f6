from collections import Counter
from collections.abc import Hashable

from tintype.engine.flux2.schedule import Schedule

ROOM = 8


def roomy(_: Hashable) -> int:
    return ROOM


def add(schedule: Schedule, key: str, **fields: object) -> None:
    usual: dict[str, object] = {"group": "small", "share": "", "weight": 1.0, "cost": 1.0, "room": 1}
    schedule.add(key, **(usual | fields))  # type: ignore[arg-type]


def steps_taken(schedule: Schedule, rounds: int) -> Counter[str]:
    taken: Counter[str] = Counter()
    for _ in range(rounds):
        taken.update(schedule.next(roomy))
    return taken


def test_nobody_steps_when_nobody_is_there() -> None:
    assert Schedule().next(roomy) == []


def test_a_group_steps_together_in_order_of_joining() -> None:
    schedule = Schedule()
    for key in "abc":
        add(schedule, key)

    assert schedule.next(roomy) == ["a", "b", "c"]


def test_two_shares_get_equal_steps_however_many_jobs_they_have() -> None:
    schedule = Schedule()
    for number in range(40):
        add(schedule, f"many-{number}", share="many")
    for number in range(8):
        add(schedule, f"few-{number}", share="few")

    taken = steps_taken(schedule, 100)

    many = sum(count for key, count in taken.items() if key.startswith("many"))
    few = sum(count for key, count in taken.items() if key.startswith("few"))
    assert abs(many - few) <= ROOM


def test_two_shares_with_jobs_of_different_sizes_get_equal_compute() -> None:
    schedule = Schedule()
    add(schedule, "large", group="large", share="a", cost=16.0)
    add(schedule, "small", group="small", share="b", cost=1.0)

    taken = steps_taken(schedule, 17 * 20)

    assert abs(16 * taken["large"] - taken["small"]) <= 16


def test_a_share_of_double_weight_gets_double_steps() -> None:
    schedule = Schedule()
    add(schedule, "a", group="a", share="a", weight=2.0)
    add(schedule, "b", group="b", share="b", weight=1.0)

    taken = steps_taken(schedule, 300)

    assert abs(taken["a"] - 2 * taken["b"]) <= 2


def test_a_newcomer_steps_next_although_others_have_long_been_served() -> None:
    schedule = Schedule()
    for number in range(20):
        add(schedule, f"old-{number}", share="old")
    steps_taken(schedule, 1000)

    add(schedule, "new", group="other", share="new")

    assert any("new" in schedule.next(roomy) for _ in range(2))


def test_a_newcomer_does_not_hold_up_the_others() -> None:
    schedule = Schedule()
    add(schedule, "old", group="old", share="old")
    steps_taken(schedule, 1000)
    add(schedule, "new", group="new", share="new")

    taken = steps_taken(schedule, 100)

    assert abs(taken["old"] - taken["new"]) <= 1


def test_within_a_share_small_jobs_among_large_ones_get_equal_compute() -> None:
    schedule = Schedule()
    add(schedule, "large", group="large", cost=16.0)
    add(schedule, "small", group="small", cost=1.0)

    taken = steps_taken(schedule, 17 * 10)

    assert abs(16 * taken["large"] - taken["small"]) <= 16


def test_more_members_than_room_take_turns() -> None:
    schedule = Schedule()
    for number in range(3 * ROOM):
        add(schedule, f"{number}")

    taken = steps_taken(schedule, 30)

    assert set(taken.values()) == {10}


def test_a_member_too_large_for_the_room_still_steps_alone() -> None:
    schedule = Schedule()
    add(schedule, "a", room=ROOM + 1)
    add(schedule, "b", room=ROOM + 1)

    assert [schedule.next(roomy), schedule.next(roomy)] == [["a"], ["b"]]


def test_who_has_left_never_steps_again() -> None:
    schedule = Schedule()
    add(schedule, "a")
    add(schedule, "b")

    schedule.remove("a")

    assert schedule.next(roomy) == ["b"]
    assert "a" not in schedule
    assert len(schedule) == 1
