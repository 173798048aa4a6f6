"""The life of a task: one table of moves, and what follows from it."""

from collections.abc import Mapping
from enum import StrEnum


class Status(StrEnum):
    """Where a task stands. The values are the wire's; the order is the order of a life."""

    QUEUE = "task_queue"
    """Accepted and stored; waiting for a worker."""
    ACCEPT = "task_accept"
    """Leased to a worker."""
    PREPROCESS_START = "task_preprocess_start"
    """Inputs are being fetched, the prompt moderated."""
    PREPROCESS_END = "task_preprocess_end"
    """Inputs are ready."""
    ASSIGN = "task_assign"
    """Given to an engine; its model may still be loading."""
    START = "task_start"
    """The engine has begun."""
    OUTPUT = "task_output"
    """The picture is forming; progress is being reported."""
    END = "task_end"
    """The engine is done; says nothing about success."""
    POSTPROCESS_START = "task_postprocess_start"
    """Outputs are being stored."""
    POSTPROCESS_END = "task_postprocess_end"
    """Finished: success if and only if the exit code is 0."""
    CANCEL = "task_cancel"
    """Cancelled or killed."""

    @property
    def is_terminal(self) -> bool:
        """Whether the task will never change again."""
        return not MOVES[self]

    def may_become(self, next_status: "Status") -> bool:
        """Whether the table allows the move."""
        return next_status in MOVES[self]


STAGES: tuple[Status, ...] = tuple(status for status in Status if status is not Status.CANCEL)
"""The stages of an undisturbed life, first to last. A life may skip stages, never turn back."""


def _moves() -> dict[Status, frozenset[Status]]:
    moves: dict[Status, frozenset[Status]] = {}
    for place, status in enumerate(STAGES[:-1]):
        later = {*STAGES[place + 1 :], Status.CANCEL}
        handed_back = set() if status is Status.QUEUE else {Status.QUEUE}
        moves[status] = frozenset(later | handed_back)
    # Only a claim takes a task out of the queue; a task whose attempts are all lost ends from there.
    moves[Status.QUEUE] = frozenset({Status.ACCEPT, Status.POSTPROCESS_END, Status.CANCEL})
    moves[Status.POSTPROCESS_END] = frozenset()
    moves[Status.CANCEL] = frozenset()
    return moves


MOVES: Mapping[Status, frozenset[Status]] = _moves()
"""Every allowed move. A handed-back task returns to the queue; a terminal status allows nothing."""

TERMINAL = frozenset(status for status in Status if status.is_terminal)
LEASED = frozenset(set(Status) - TERMINAL - {Status.QUEUE})
"""Statuses in which a worker holds the task."""

CANCELLABLE = frozenset({Status.QUEUE})
KILLABLE = frozenset(set(Status) - TERMINAL)

LOST_ATTEMPTS_ALLOWED = 3
"""After so many attempts lost with their workers a task ends as a failure."""
