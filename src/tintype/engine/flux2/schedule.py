"""Who steps next: fair queueing over priorities, over the shares of each, and over the members of a share.

Knows keys, groups and costs, nothing of tensors. Priorities, shares and members are a tree, and each of
them has a tag: the virtual time up to which it has been served, which a step moves by its cost divided by
the weight. From the root down, the child with the least tag leads; the member at the end decides which
group steps; and whoever else is of that group rides along, least served first, while there is room.
Riders are charged like leaders, so equal shares get equal compute, and since what is charged is a step and
not a job, nobody waits for anybody's job to finish.

Nobody starves, whatever arrives. Say that a node leads when the member at its front steps, and call the
tag of its front child then its time. A newcomer joins one step behind the time, so that a stream of
newcomers cannot hold it. Riding moves a tag at most `D / weight` beyond the time at which its node last
led, with D twice the cost of the dearest step, so that nobody rides himself into a debt without end. Let a
node have at most n children, and let δ be the least that a step moves one of their tags. While the time
passes δ each of them leads the node once at most: its tag has moved by δ, and newcomers are behind that.
So between two times that a child of weight w leads it, others do at most

    B = (n − 1) · (⌈D / (w · δ)⌉ + 1)

times; and every member steps within (B + 1) steps of the root, times (B + 1) of its priority, times
(B + 1) of its share.

After Goyal, Vin, Cheng: Start-time Fair Queueing, SIGCOMM 1996; hierarchical as in section 3 there.
"""

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field

from tintype.domain.priority import PARTS, Priority

UNIT = 2**20
"""What serving cost 1 to weight 1 moves a tag by. Tags are whole numbers, which neither end nor drift."""


@dataclass(slots=True, eq=False)
class _Node:
    key: str
    weight: float
    order: int
    parent: "_Node | None" = None
    children: dict[str, "_Node"] = field(default_factory=dict)
    tag: int = 0
    time: int = 0
    """The tag of the front child when it last led."""
    led: int = 0
    """The parent's time then, of this node."""

    def moved_by(self, cost: float) -> int:
        """How far serving that cost moves the tag."""
        return max(1, round(cost * UNIT / self.weight))

    def path(self) -> "Iterator[_Node]":
        """This node and those above it, the root excepted."""
        node = self
        while node.parent is not None:
            yield node
            node = node.parent


@dataclass(slots=True, eq=False)
class _Member(_Node):
    group: Hashable = None
    cost: float = 0.0
    room: int = 0


@dataclass(frozen=True, slots=True)
class _Front:
    tag: int
    """Of the child that leads."""
    member: _Member
    """Whom it leads to."""


class Schedule:
    """Members join with `add`, leave with `remove`, and step when `next` names them."""

    def __init__(self) -> None:
        self._root = _Node("", weight=1.0, order=0)
        self._members: dict[str, _Member] = {}
        self._order = 0
        self._dearest = 0.0

    def __len__(self) -> int:
        return len(self._members)

    def __contains__(self, key: str) -> bool:
        return key in self._members

    def add(
        self,
        key: str,
        *,
        group: Hashable,
        share: str,
        weight: float,
        cost: float,
        room: int,
        priority: Priority = Priority.NORMAL,
    ) -> None:
        """`cost` is what one step is charged; `room` what it takes of its group's capacity."""
        rank = self._child(self._root, priority, weight=PARTS[priority], cost=cost)
        owner = self._child(rank, share, weight=weight, cost=cost)
        member = _Member(key, 1.0, self._next_order(), group=group, cost=cost, room=room)
        self._join(owner, member, cost)
        self._members[key] = member

    def remove(self, key: str) -> None:
        for node in self._members.pop(key).path():
            if not node.children and node.parent is not None:
                del node.parent.children[node.key]

    def next(self, capacity: Callable[[Hashable], int]) -> list[str]:
        """The keys that step together now, in order of joining; they have been charged for it.

        `capacity` says how much room a step of the group has; one member always fits.
        """
        if not self._members:
            return []
        fronts: dict[_Node, _Front] = {}
        group = _front(self._root, fronts).member.group
        before = {node: node.tag for node in fronts}
        chosen = self._riders(group, capacity(group))
        self._settle(chosen, fronts, before)
        return [member.key for member in sorted(chosen, key=lambda member: member.order)]

    def _riders(self, group: Hashable, room: int) -> list[_Member]:
        """Members of the group, the leader first, then the least served, each charged when it is taken."""
        waiting: dict[_Node, list[_Node]] = {}
        for member in self._members.values():
            if member.group == group:
                for node in member.path():
                    assert node.parent is not None
                    siblings = waiting.setdefault(node.parent, [])
                    siblings.append(node)
                    if len(siblings) > 1:
                        break
        chosen: list[_Member] = []
        while waiting.get(self._root):
            member = self._first(waiting)
            if chosen and member.room > room:
                break
            room -= member.room
            chosen.append(member)
            for node in member.path():
                node.tag += node.moved_by(member.cost)
                assert node.parent is not None
                if not waiting.get(node):
                    waiting[node.parent].remove(node)
        return chosen

    def _first(self, waiting: dict[_Node, list[_Node]]) -> _Member:
        node = self._root
        while not isinstance(node, _Member):
            node = min(waiting[node], key=_by_tag)
        return node

    def _settle(self, chosen: list[_Member], fronts: dict[_Node, _Front], before: dict[_Node, int]) -> None:
        """Those whose front has stepped have led; and nobody rides further than he may."""
        self._dearest = max(self._dearest, sum(member.cost for member in chosen))
        stepped = set(chosen)
        charged = {node: None for member in chosen for node in member.path()}
        for node in (self._root, *charged):
            if node in fronts and fronts[node].member in stepped:
                node.time = fronts[node].tag
        for node in charged:
            assert node.parent is not None
            if isinstance(node, _Member) or fronts[node].member in stepped:
                node.led = node.parent.time
            furthest = node.led + node.moved_by(2 * self._dearest)
            node.tag = max(before.get(node, 0), min(node.tag, furthest))

    def _child(self, parent: _Node, key: str, *, weight: float, cost: float) -> _Node:
        child = parent.children.get(key)
        if child is None:
            child = _Node(key, weight, self._next_order())
            self._join(parent, child, cost)
        child.weight = weight
        return child

    def _join(self, parent: _Node, node: _Node, cost: float) -> None:
        """One step behind the time, as if it had just been served."""
        node.parent = parent
        node.led = parent.time
        node.tag = parent.time + node.moved_by(cost)
        parent.children[node.key] = node

    def _next_order(self) -> int:
        self._order += 1
        return self._order


def _by_tag(node: _Node) -> tuple[int, int]:
    return node.tag, node.order


def _front(node: _Node, fronts: dict[_Node, _Front]) -> _Front:
    """Who leads the node, noted for it and for every node below it."""
    if isinstance(node, _Member):
        return _Front(node.tag, node)
    for child in node.children.values():
        _front(child, fronts)
    first = min(node.children.values(), key=_by_tag)
    member = first if isinstance(first, _Member) else fronts[first].member
    fronts[node] = _Front(first.tag, member)
    return fronts[node]
