"""How many attempts may be under way: in all, to one host and for one project. None waits for a slow one.

A project may have as many as are left for others: half of all if it is alone, a third beside another, and
so on. So what is free is used, and whoever comes next finds room at once, however slow others' receivers are.
(The rule is that of dynamic thresholds: Choudhury and Hahne, "Dynamic queue length thresholds
for shared-memory packet switches", IEEE/ACM Transactions on Networking 6(2), 1998, with a factor of 1.)
"""

from collections import Counter
from collections.abc import Iterable

from tintype.domain.callback import Callback

IN_ALL = 128
PER_HOST = 4


class Limits:
    """Counts the attempts under way."""

    def __init__(self) -> None:
        self._hosts: Counter[str] = Counter()
        self._projects: Counter[int] = Counter()

    @property
    def room(self) -> int:
        """How many more there may be."""
        return IN_ALL - self._hosts.total()

    @property
    def full_hosts(self) -> set[str]:
        return {host for host, number in self._hosts.items() if number >= PER_HOST}

    @property
    def full_projects(self) -> set[int]:
        return {project for project, number in self._projects.items() if number >= self.room}

    def take(self, callback: Callback) -> bool:
        """Counts the callback, if there is room for it; to be given back with `leave`."""
        if self.room <= 0 or not self._fits(callback):
            return False
        self._hosts[callback.host] += 1
        self._projects[callback.project_id] += 1
        return True

    def take_from(self, callbacks: Iterable[Callback]) -> list[Callback]:
        """Those that there is room for, in their order; each counted."""
        return [callback for callback in callbacks if self.take(callback)]

    def leave(self, callback: Callback) -> None:
        self._hosts[callback.host] -= 1
        self._projects[callback.project_id] -= 1
        self._hosts, self._projects = +self._hosts, +self._projects  # forgets whom nothing is sent to

    def _fits(self, callback: Callback) -> bool:
        return self._hosts[callback.host] < PER_HOST and self._projects[callback.project_id] < self.room
