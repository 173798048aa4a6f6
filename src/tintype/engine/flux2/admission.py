"""Which jobs may be in memory together: those beyond the budget wait, in order, and none waits for ever.

Knows keys and bytes, nothing of tensors. The first in line by priority and then by age comes first, and
smaller jobs may overtake one that does not fit yet; but whoever has been overtaken `MOST_OVERTAKEN` times
comes before everyone younger, and they wait until it fits. Since jobs that have been let in end, and each
fits alone, everyone comes in.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from tintype.domain.priority import Priority

MOST_OVERTAKEN = 8
_ORDER = {priority: place for place, priority in enumerate(Priority)}


@dataclass(frozen=True, kw_only=True)
class Need:
    """Bytes of the device that a job takes."""

    held: int
    """From its first step to its last: latents, prompt and reference pictures."""
    step: int
    """While a step draws it; what steps have at once is bounded for all jobs together."""
    decode: int
    """While its picture is decoded; pictures are decoded one at a time."""


@dataclass(slots=True, eq=False)
class _Waiting:
    key: str
    need: Need
    priority: Priority
    arrival: int
    overtaken: int = 0

    @property
    def place(self) -> tuple[int, int, int]:
        if self.overtaken >= MOST_OVERTAKEN:
            return (0, 0, self.arrival)
        return (1, _ORDER[self.priority], self.arrival)


class Admission:
    """Jobs come by `wait`, are let in by `admit`, and go by `leave`."""

    def __init__(self, budget: int, *, largest_step: int) -> None:
        """`budget` is in bytes, and so is `largest_step`: what all jobs of one step need, however many."""
        self.budget = budget
        self._largest_step = largest_step
        self._waiting: dict[str, _Waiting] = {}
        self._inside: dict[str, Need] = {}
        self._arrivals = 0

    def bytes_of(self, needs: Iterable[Need]) -> int:
        """What those jobs need when they are in memory together."""
        needs = list(needs)
        if not needs:
            return 0
        if len(needs) == 1:  # its picture is decoded after its last step
            return needs[0].held + max(needs[0].step, needs[0].decode)
        steps = min(sum(need.step for need in needs), self._largest_step)
        largest_alone = max(need.step for need in needs)
        decode = max(need.decode for need in needs)
        return sum(need.held for need in needs) + max(steps, largest_alone) + decode

    def can_ever_fit(self, need: Need) -> bool:
        return self.bytes_of([need]) <= self.budget

    def wait(self, key: str, need: Need, priority: Priority = Priority.NORMAL) -> None:
        self._arrivals += 1
        self._waiting[key] = _Waiting(key, need, priority, self._arrivals)

    def admit(self) -> list[str]:
        """Who comes in now; somebody does where nobody is inside."""
        let_in: list[str] = []
        while (waiting := self._next()) is not None:
            del self._waiting[waiting.key]
            for other in self._waiting.values():
                other.overtaken += other.arrival < waiting.arrival
            self._inside[waiting.key] = waiting.need
            let_in.append(waiting.key)
        return let_in

    def leave(self, key: str) -> None:
        """Whether it waits, is inside, or has left before."""
        self._waiting.pop(key, None)
        self.finish(key)

    def finish(self, key: str) -> None:
        """Who is inside has ended; another of the same name that waits goes on waiting."""
        self._inside.pop(key, None)

    def _next(self) -> _Waiting | None:
        for waiting in sorted(self._waiting.values(), key=lambda waiting: waiting.place):
            if not self._inside or self.bytes_of([*self._inside.values(), waiting.need]) <= self.budget:
                return waiting
            if waiting.overtaken >= MOST_OVERTAKEN:
                return None
        return None
