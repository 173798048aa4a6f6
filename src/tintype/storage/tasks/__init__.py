"""Tasks in the store, as functions of a connection. Who writes to a task must win it first."""

from tintype.storage.tasks.cancelling import cancel, kill
from tintype.storage.tasks.claiming import advance, claim, note_progress
from tintype.storage.tasks.finding import (
    count_unfinished,
    find,
    find_by_token,
    list_tasks,
    queue_depth,
    unfinished_by_status,
)
from tintype.storage.tasks.finishing import finish
from tintype.storage.tasks.forgetting import forget_files
from tintype.storage.tasks.returning import hand_back
from tintype.storage.tasks.submitting import submit

__all__ = [
    "advance",
    "cancel",
    "claim",
    "count_unfinished",
    "find",
    "find_by_token",
    "finish",
    "forget_files",
    "hand_back",
    "kill",
    "list_tasks",
    "note_progress",
    "queue_depth",
    "submit",
    "unfinished_by_status",
]
