"""Who steps next: start-time fair queueing over shares, then over the members of a share.

Knows keys, groups and costs, nothing of tensors. Every share has served time: the cost of the steps it
has got, divided by its weight. The share with the least of it leads; its member with the least decides
which group steps; and whoever else is of that group rides along, least served first, while there is
room. Riders are charged like leaders, so equal shares get equal compute, and since what is charged is a
step and not a job, nobody waits for anybody's job to finish.

Goyal, Vin, Cheng: Start-time Fair Queueing, SIGCOMM 1996.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush


@dataclass(slots=True, eq=False)
class _Share:
    weight: float
    served: float
    members: dict[str, "_Member"] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class _Member:
    key: str
    order: int
    group: Hashable
    share: str
    cost: float
    room: int
    served: float


class Schedule:
    """Members join with `add`, leave with `remove`, and step when `next` names them."""

    def __init__(self) -> None:
        self._shares: dict[str, _Share] = {}
        self._members: dict[str, _Member] = {}
        self._now = 0.0
        self._order = 0

    def __len__(self) -> int:
        return len(self._members)

    def __contains__(self, key: str) -> bool:
        return key in self._members

    def add(self, key: str, *, group: Hashable, share: str, weight: float, cost: float, room: int) -> None:
        """`cost` is what one step is charged; `room` what it takes of its group's capacity."""
        owner = self._shares.get(share)
        if owner is None:
            owner = self._shares[share] = _Share(weight=weight, served=self._now)
        owner.weight = weight
        served = min((member.served for member in owner.members.values()), default=0.0)
        self._order += 1
        member = _Member(key, self._order, group, share, cost, room, served)
        self._members[key] = owner.members[key] = member

    def remove(self, key: str) -> None:
        member = self._members.pop(key)
        owner = self._shares[member.share]
        del owner.members[key]
        if not owner.members:
            del self._shares[member.share]

    def next(self, capacity: Callable[[Hashable], int]) -> list[str]:
        """The keys that step together now, in order of joining; they have been charged for it.

        `capacity` says how much room a step of the group has; one member always fits.
        """
        if not self._members:
            return []
        leading = min(self._shares.values(), key=lambda share: share.served)
        self._now = leading.served
        leader = min(leading.members.values(), key=lambda member: (member.served, member.order))
        chosen = self._riders(leader.group, capacity(leader.group))
        chosen.sort(key=lambda member: member.order)
        return [member.key for member in chosen]

    def _riders(self, group: Hashable, room: int) -> list[_Member]:
        """Members of the group, least served share first, each charged when it is taken."""
        waiting = [(owner.served, index, name) for index, (name, owner) in enumerate(self._shares.items())]
        lines = {name: self._line(name, group) for _, _, name in waiting}
        waiting = [entry for entry in waiting if lines[entry[2]]]
        heapify(waiting)
        chosen: list[_Member] = []
        while waiting:
            _, index, name = heappop(waiting)
            member = lines[name].pop()
            if chosen and member.room > room:
                break
            room -= member.room
            chosen.append(member)
            owner = self._shares[name]
            owner.served += member.cost / owner.weight
            member.served += member.cost
            if lines[name]:
                heappush(waiting, (owner.served, index, name))
        return chosen

    def _line(self, share: str, group: Hashable) -> list[_Member]:
        """The share's members of the group, the least served last."""
        members = [m for m in self._shares[share].members.values() if m.group == group]
        members.sort(key=lambda member: (-member.served, -member.order))
        return members
