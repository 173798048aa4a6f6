"""A task's frames as server-sent events, over the answer to one request."""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from tintype.api.following import Followed
from tintype.api.frames import Frame, Inbox

EVENTS = "text/event-stream"
HEARTBEAT = 10.0
"""Seconds without news after which a comment shows that the connection lives."""
COMMENT = b": waiting\n\n"
FAREWELL = 1.0
"""Seconds in which a reader may still take what was sent, once the stream is over."""
LONGEST_NUMBER = 18


class EventStream(Response):
    """Tells the task's current state and then every frame, to its end.

    `longest` is in seconds. A reader who is slow misses frames in between and always gets the newest: no more
    is kept for him than for a slow WebSocket.
    """

    media_type = EVENTS

    def __init__(
        self, followed: Followed, *, last_sequence: int | None, longest: float, stopping: asyncio.Event
    ) -> None:
        super().__init__(headers={"cache-control": "no-store", "x-accel-buffering": "no"})
        del self.headers["content-length"]
        self._followed = followed
        self._last_sequence = last_sequence
        self._longest = longest
        self._stopping = stopping

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        inbox = Inbox()
        self._followed.join(inbox, last_sequence=self._last_sequence)
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            await first_of(
                _tell(inbox, send), departure(receive), self._stopping.wait(), within=self._longest
            )
        finally:
            self._followed.leave(inbox)
        with suppress(TimeoutError):
            async with asyncio.timeout(FAREWELL):
                await send({"type": "http.response.body", "body": b""})


async def _tell(inbox: Inbox, send: Send) -> None:
    while True:
        try:
            async with asyncio.timeout(HEARTBEAT):
                frame = await inbox.next()
        except TimeoutError:
            await send({"type": "http.response.body", "body": COMMENT, "more_body": True})
            continue
        await send({"type": "http.response.body", "body": event(frame), "more_body": True})
        if frame.terminal:
            return


def event(frame: Frame) -> bytes:
    """The frame as one event; its sequence number is the event's id."""
    return f"event: {frame.type}\nid: {frame.sequence}\ndata: {frame.text}\n\n".encode()


def wants_events(request: Request) -> bool:
    """Whether `Accept` names server-sent events, and does not like JSON better."""
    qualities = {"application/json": 0.0, EVENTS: 0.0}
    for accepted in request.headers.get("accept", "").lower().split(","):
        kind, _, options = accepted.partition(";")
        if kind.strip() in qualities:
            qualities[kind.strip()] = _quality(options)
    return 0 < qualities[EVENTS] >= qualities["application/json"]


def last_event_id(request: Request) -> int | None:
    """The sequence number of the last frame that the caller has seen; None if it names none."""
    given = request.headers.get("last-event-id", "").strip()
    return int(given) if given.isascii() and given.isdigit() and len(given) <= LONGEST_NUMBER else None


async def departure(receive: Receive) -> None:
    """Returns when the caller has closed the connection."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def first_of(*waits: Coroutine[Any, Any, Any], within: float) -> None:
    """Returns when one of these does, or after so many seconds; the others are cancelled.

    What the first raises is raised.
    """
    running = [asyncio.ensure_future(wait) for wait in waits]
    try:
        done, _ = await asyncio.wait(running, timeout=within, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in running:
            each.cancel()
        await asyncio.gather(*running, return_exceptions=True)
    for each in done:
        each.result()


def _quality(options: str) -> float:
    for option in options.split(";"):
        name, _, value = option.partition("=")
        if name.strip() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0
