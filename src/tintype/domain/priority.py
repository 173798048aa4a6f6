"""Priorities: classes that compete for the compute before projects do. Operators put projects into them."""

import copy
from collections.abc import Collection, Mapping
from enum import StrEnum


class Priority(StrEnum):
    """Which class a task is of. None waits for another to be empty: each has a part of the compute."""

    HIGH = "high"
    """For people who wait for their picture."""
    NORMAL = "normal"
    """For everything."""
    LOW = "low"
    """For what may take its time."""


PARTS: Mapping[Priority, int] = {Priority.HIGH: 16, Priority.NORMAL: 4, Priority.LOW: 1}
"""How the classes divide the compute while they compete, however many projects and tasks each has."""


class Turns:
    """Whose turn it is to be served next, so that each class gets its part and none waits for ever."""

    def __init__(self) -> None:
        self._served = dict.fromkeys(Priority, 0.0)
        self._waited: frozenset[Priority] = frozenset()
        self._level = 0.0

    def copy(self) -> "Turns":
        return copy.deepcopy(self)

    def next(self, waiting: Collection[Priority]) -> Priority:
        """Of those that wait, who was served least by its part. Who has not waited saves nothing up."""
        self._level = max([self._level, *sorted(self._served[priority] for priority in self._waited)[:1]])
        for priority in set(waiting) - self._waited:
            self._served[priority] = max(self._served[priority], self._level)
        self._waited = frozenset(waiting)
        return min(waiting, key=lambda priority: (self._served[priority], -PARTS[priority]))

    def charge(self, priority: Priority, cost: float) -> None:
        self._served[priority] += cost / PARTS[priority]
