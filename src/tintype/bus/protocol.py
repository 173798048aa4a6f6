"""The Bus: publish to a subject, subscribe to a subject; at most once, in order per publisher."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Protocol

WORK = "work"
"""There is work in the queue; the payload is empty."""
KILL = "kill"
"""A task must stop; the payload is its id in decimal."""
WATCH = "watch"
"""Somebody follows tasks and would like to see them being drawn; the payload is their ids in decimal, with
spaces between. It counts for `WATCHED_FOR` seconds, so whoever says it says it again and again."""
WATCHED_FOR = 5.0

CALLBACK = "callback"
"""A callback is due; the payload is empty."""


def task_subject(task_id: int) -> str:
    """Where the events of one task are told; the payload is a msgpack-encoded `TaskEvent`."""
    return f"task.{task_id}"


class Bus(Protocol):
    """One suite, `tests/conformance/test_bus.py`, runs on every implementation."""

    async def publish(self, subject: str, payload: bytes = b"") -> None:
        """Tells whoever listens now. Never waits for a listener, never fails because of one."""
        ...

    def subscribe(self, subject: str) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """The payloads published from the moment the context is entered.

        A listener that falls more than 1000 payloads behind loses the oldest.
        """
        ...
