"""Callbacks: telling somebody's server, once, that a task has ended; and every attempt at it."""

from enum import StrEnum

import msgspec

from tintype.domain.catalogue import Model
from tintype.domain.task import CallbackOrder, Task
from tintype.domain.task_object import envelope, page_fields, task_fields

BAD_CALLBACK = "callbackUrl is not an absolute http(s) URL; no callback will be sent."


class Delivery(StrEnum):
    """Where a callback stands."""

    WAITING = "waiting"
    """Its task has not ended."""
    DUE = "due"
    """To be sent now, or again later."""
    DELIVERED = "delivered"
    """The receiver has confirmed it."""
    DROPPED = "dropped"
    """Tried for as long as the schedule allows, in vain."""


class Callback(msgspec.Struct, frozen=True, kw_only=True):
    """One callback of one task. Moments are in microseconds since the epoch, 0 where they have not come."""

    id: int
    message_id: str
    """The same on all attempts: the receiver may know by it what it has seen already."""
    task_id: int
    project_id: int
    """Whose secret signs it."""
    url: str
    host: str
    """`name:port`; whose receivers share their limit."""
    state: Delivery
    attempts: int
    """How often it has been sent, or was about to be."""
    tries: int
    """The same, since it was last asked for."""
    begun: int
    """When the first of these tries was made."""
    due: int
    """When the next attempt is to be made."""
    ended: int
    """When it was delivered or dropped."""


class Claimed(msgspec.Struct, frozen=True, kw_only=True):
    """A callback in somebody's hands, for one attempt."""

    callback: Callback
    body: bytes


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt, as the log keeps it."""

    number: int
    started: int
    """Microseconds since the epoch."""
    ended: int
    """Likewise; 0 while it lasts, and if whoever made it was killed."""
    status: int | None
    """The HTTP status of the answer."""
    answer: str
    """The beginning of the answer's body."""
    error: str
    """Why there was no answer."""


def order(model: Model, public_url: str) -> CallbackOrder:
    """A callback for a task of the model. `public_url` has no trailing slash."""
    return CallbackOrder(page=page_fields(model), public_url=public_url)


def callback_body(task: Task, order: CallbackOrder) -> bytes:
    """The task as Task/Detail shows it, in its envelope."""
    shown = task_fields(task, order.public_url) | order.page
    return msgspec.json.encode(envelope(1, [shown]))
