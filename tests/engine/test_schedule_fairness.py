"""What holds of the schedule whatever arrives: nobody starves, and shares get what their weights say."""

import itertools
import math
from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tintype.domain.priority import PARTS, Priority
from tintype.engine.flux2.schedule import Schedule

COSTS = (1.0, 2.0, 16.0)
WEIGHTS = (0.5, 1.0, 3.0)
PLACES = 8
LONGEST_PROGRAM = 60


@dataclass
class Played:
    """A schedule under arrivals and departures, and how long everyone has waited."""

    room: int
    schedule: Schedule = field(default_factory=Schedule)
    members: dict[str, dict[str, Any]] = field(default_factory=dict)
    waited: Counter[str] = field(default_factory=Counter)
    longest: int = 0
    arrived: int = 0

    def arrive(self, **fields: Any) -> str:
        self.arrived += 1
        key = str(self.arrived)
        self.members[key] = fields
        self.schedule.add(key, **fields)
        return key

    def leave(self, key: str) -> None:
        self.schedule.remove(key)
        del self.members[key]
        self.waited.pop(key, None)

    def step(self) -> list[str]:
        stepped = self.schedule.next(self.capacity)
        for key in self.members:
            self.waited[key] = 0 if key in stepped else self.waited[key] + 1
        self.longest = max(self.longest, *self.waited.values())
        return stepped

    def capacity(self, _: Hashable) -> int:
        return self.room


def member(**fields: Any) -> dict[str, Any]:
    usual: dict[str, Any] = {"group": "g", "share": "s", "weight": 1.0, "cost": 1.0, "room": 1}
    return usual | fields


def most_others(children: int, *, dearest: float, weight: float, least: float) -> int:
    """B of the schedule's proof."""
    return (children - 1) * (math.ceil(2 * dearest / (weight * least)) + 1)


@st.composite
def arrivals(draw: st.DrawFn) -> list[tuple[dict[str, Any], int]]:
    """Members, and how many steps each takes before it leaves; whoever leaves makes room for the next."""
    fields = st.fixed_dictionaries(
        {
            "group": st.sampled_from("ab"),
            "share": st.sampled_from("xyz"),
            "weight": st.sampled_from(WEIGHTS),
            "cost": st.sampled_from(COSTS),
            "room": st.just(1),
            "priority": st.sampled_from(Priority),
        }
    )
    return draw(st.lists(st.tuples(fields, st.integers(1, 4)), min_size=1, max_size=LONGEST_PROGRAM))


def play(program: list[tuple[dict[str, Any], int]], played: Played) -> None:
    """Whoever has done his steps is replaced before the next step, so that all places are always taken."""
    coming = list(reversed(program))
    left: dict[str, int] = {}
    while coming or left:
        while coming and len(left) < PLACES:
            fields, steps = coming.pop()
            left[played.arrive(**fields)] = steps
        for key in played.step():
            left[key] -= 1
            if not left[key]:
                del left[key]
                played.leave(key)


@settings(max_examples=25, deadline=None)
@given(arrivals())
def test_everyone_steps_within_the_bound_whatever_arrives(program: list[tuple[dict[str, Any], int]]) -> None:
    played = Played(room=2)

    play(program, played)

    dearest, cheapest = 2 * max(COSTS), min(COSTS)
    by_priority = most_others(3, dearest=dearest, weight=min(PARTS.values()), least=cheapest / 16)
    by_share = most_others(3, dearest=dearest, weight=min(WEIGHTS), least=cheapest / max(WEIGHTS))
    by_member = most_others(PLACES, dearest=dearest, weight=1, least=cheapest)
    assert played.longest < (by_priority + 1) * (by_share + 1) * (by_member + 1)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 5), min_size=20, max_size=LONGEST_PROGRAM))
def test_within_a_share_nobody_waits_for_more_than_three_rounds(lives: list[int]) -> None:
    played = Played(room=1)

    play([(member(), steps) for steps in lives], played)

    assert played.longest <= most_others(PLACES, dearest=1, weight=1, least=1)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 5), min_size=20, max_size=LONGEST_PROGRAM))
def test_among_equal_shares_nobody_waits_for_more_than_three_rounds(lives: list[int]) -> None:
    played = Played(room=1)

    play([(member(share=str(number)), steps) for number, steps in enumerate(lives)], played)

    assert played.longest <= most_others(PLACES, dearest=1, weight=1, least=1)


def test_a_stream_of_new_jobs_does_not_hold_up_one_of_the_same_share() -> None:
    played = Played(room=1)
    patient = played.arrive(**member(group="large", cost=16.0))
    hasty = [played.arrive(**member()) for _ in range(2)]
    taken = 0

    for _ in range(200):
        for key in played.step():
            if key in hasty:
                played.leave(key)
                hasty = [*(one for one in hasty if one != key), played.arrive(**member())]
            taken += key == patient

    assert taken >= 200 // 34


def test_a_stream_of_new_shares_does_not_hold_up_an_old_one() -> None:
    played = Played(room=1)
    patient = played.arrive(**member(share="patient", group="large", cost=16.0))
    hasty = [played.arrive(**member(share=f"early {number}")) for number in range(2)]
    taken = 0

    for number in range(200):
        for key in played.step():
            if key in hasty:
                played.leave(key)
                hasty = [*(one for one in hasty if one != key), played.arrive(**member(share=f"{number}"))]
            taken += key == patient

    assert taken >= 200 // 34


def test_who_has_ridden_along_for_long_does_not_pay_for_it_without_end() -> None:
    played = Played(room=8)
    dear = played.arrive(**member(share="heavy", weight=1000.0))
    rider = played.arrive(**member(share="rider"))
    for _ in range(1000):
        played.step()
    played.leave(dear)
    played.arrive(**member(share="new", group="other"))

    taken = Counter(key for _ in range(100) for key in played.step())

    assert taken[rider] >= 45


def test_a_share_that_always_rides_along_still_comes_to_its_other_jobs() -> None:
    played = Played(room=8)
    played.arrive(**member(share="heavy", weight=4.0))
    played.arrive(**member(share="rider"))
    other = played.arrive(**member(share="rider", group="other"))

    taken = Counter(key for _ in range(500) for key in played.step())

    assert taken[other] >= 500 / (4 * 2 * 2 + 2)


SHARES = st.lists(st.tuples(st.floats(0.25, 8), st.sampled_from(COSTS)), min_size=2, max_size=4)


def differences(played: Played, steps: int, owners: dict[str, int], shares: list[tuple[float, float]]) -> Any:
    """How far each two shares are apart in what they got by weight, with the weights and costs of both."""
    got = [0.0] * len(shares)
    for _ in range(steps):
        for key in played.step():
            weight, cost = shares[owners[key]]
            got[owners[key]] += cost / weight
    for one, other in itertools.combinations(range(len(shares)), 2):
        yield abs(got[one] - got[other]), shares[one], shares[other]


@settings(max_examples=15, deadline=None)
@given(SHARES)
def test_shares_that_step_apart_get_compute_by_their_weights(shares: list[tuple[float, float]]) -> None:
    played = Played(room=1)
    owners = {
        played.arrive(**member(share=f"{number}", weight=weight, cost=cost, group=number)): number
        for number, (weight, cost) in enumerate(shares)
    }

    for apart, one, other in differences(played, 300, owners, shares):
        assert apart <= 2 * (one[1] / one[0] + other[1] / other[0])


@settings(max_examples=15, deadline=None)
@given(SHARES)
def test_shares_that_step_together_get_compute_by_their_weights(shares: list[tuple[float, float]]) -> None:
    played = Played(room=4)
    shares = [(weight, 1.0) for weight, _ in shares]
    owners = {
        played.arrive(**member(share=f"{number}", weight=weight)): number
        for number, (weight, _) in enumerate(shares)
        for _ in range(4)
    }

    for apart, one, other in differences(played, 100, owners, shares):
        assert apart <= 2 * (1 / one[0] + 1 / other[0])


def test_priorities_divide_the_compute_however_many_shares_they_have() -> None:
    played = Played(room=1)
    owners: dict[str, Priority] = {}
    for priority, shares in ((Priority.HIGH, 1), (Priority.NORMAL, 5), (Priority.LOW, 9)):
        for number in range(shares):
            key = played.arrive(**member(share=f"{priority} {number}", priority=priority))
            owners[key] = priority

    taken = Counter(owners[key] for _ in range(420) for key in played.step())

    for priority, part in PARTS.items():
        assert abs(taken[priority] - 20 * part) <= 1


def test_what_a_priority_leaves_goes_to_the_others() -> None:
    played = Played(room=1)
    low = played.arrive(**member(priority=Priority.LOW))

    assert [played.step() for _ in range(5)] == [[low]] * 5


def test_a_newcomer_of_high_priority_steps_at_once() -> None:
    played = Played(room=1)
    for number in range(20):
        played.arrive(**member(share=f"{number}"))
    for _ in range(200):
        played.step()

    urgent = played.arrive(**member(share="urgent", priority=Priority.HIGH))

    assert urgent in [*played.step(), *played.step()]
