"""The WebSocket: follows tasks by their tokens. Section 14 of the protocol.

A token is the authority over its task; no credentials are needed.
"""

import asyncio
from contextlib import suppress
from typing import Any

import msgspec
import structlog
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from tintype.api.answers import FAULT, refusal
from tintype.api.following import Followed, Following
from tintype.api.frames import CONNECTED, Frame, Inbox, error_frame
from tintype.domain.errors import UnknownPath, UnknownTask

FAREWELL = 0.25
"""Seconds between the last terminal frame and the close: the client may close first, or ask again."""
NORMAL, POLICY_VIOLATION = 1000, 1008
TOKEN_REQUIRED = "tasktoken-required"
LONGEST_NUMBER = 20

log = structlog.get_logger(__name__)


class Asked(msgspec.Struct, frozen=True):
    """What a client says; anything may be missing or odd."""

    type: Any = None
    tasktoken: Any = None
    lastseq: Any = None
    preview: Any = None


_asked = msgspec.json.Decoder(Asked)


def routes(following: Following) -> list[WebSocketRoute]:
    """The upgrade on `/v1`; on any other path it is refused."""

    async def follow(websocket: WebSocket) -> None:
        await Socket(websocket, following).live()

    async def refuse(websocket: WebSocket) -> None:
        await websocket.send_denial_response(refusal(UnknownPath()))

    return [WebSocketRoute("/v1", follow), WebSocketRoute("/{path:path}", refuse)]


class Socket:
    """One connection and the tasks registered on it."""

    def __init__(self, websocket: WebSocket, following: Following) -> None:
        self._websocket = websocket
        self._following = following
        self._inbox = Inbox()
        self._registered: dict[int, Followed] = {}
        """The tasks whose ends have not been told, by id."""
        self._has_registered = False
        self._asking = False
        self._refused = False

    async def live(self) -> None:
        """From the handshake to the close."""
        with suppress(WebSocketDisconnect):
            await self._websocket.accept()
            self._inbox.put(CONNECTED)
            try:
                async with asyncio.TaskGroup() as group:
                    sending = group.create_task(self._send_all())
                    await self._receive_all()
                    sending.cancel()
            finally:
                for followed in self._registered.values():
                    followed.leave(self._inbox)

    # What the client says

    async def _receive_all(self) -> None:
        while (message := await self._websocket.receive())["type"] != "websocket.disconnect":
            if text := message.get("text"):
                with suppress(msgspec.DecodeError, RecursionError):
                    await self._heed(_asked.decode(text))

    async def _heed(self, asked: Asked) -> None:
        if asked.type != "task_info":
            return
        token = _token(asked.tasktoken)
        if not token:
            self._inbox.put(error_frame(TOKEN_REQUIRED))
            return
        self._asking = True
        try:
            await self._register(token, _sequence(asked.lastseq), previews=asked.preview is not False)
        except UnknownTask as unknown:
            self._refused = self._refused or not self._registered
            self._inbox.put(error_frame(str(unknown)))
        except Exception as problem:
            log.error("registration_failed", error=type(problem).__name__)
            self._inbox.put(error_frame(FAULT))
        finally:
            self._asking = False

    async def _register(self, token: str, last_sequence: int | None, *, previews: bool) -> None:
        """Raises UnknownTask."""
        followed = await self._following.find(token)
        self._leave(followed.task_id)
        self._registered[followed.task_id] = followed
        self._has_registered = True
        followed.join(self._inbox, last_sequence=last_sequence, previews=previews)

    def _leave(self, task_id: int) -> None:
        if followed := self._registered.pop(task_id, None):
            followed.leave(self._inbox)

    # What is said to the client

    async def _send_all(self) -> None:
        with suppress(WebSocketDisconnect, RuntimeError):  # the latter if the server itself has closed
            while frame := await self._next():
                await self._websocket.send_text(frame.text)
                if frame.terminal:
                    self._leave(frame.task_id)
            await self._websocket.close(POLICY_VIOLATION if self._refused else NORMAL)

    async def _next(self) -> Frame | None:
        """The next frame; None once there is nothing more to say."""
        while not self._is_refused:
            try:
                async with asyncio.timeout(FAREWELL if self._is_done else None):
                    return await self._inbox.next()
            except TimeoutError:
                if self._is_done and not self._inbox:
                    return None
        return None

    @property
    def _is_refused(self) -> bool:
        return self._refused and not self._inbox

    @property
    def _is_done(self) -> bool:
        """Whether the ends of all registered tasks have been told."""
        return self._has_registered and not self._registered and not self._asking


def _token(value: Any) -> str:
    """The token as text, empty if there is none."""
    return str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""


def _sequence(value: Any) -> int | None:
    """The number, which may come as text; None if it is none."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= LONGEST_NUMBER:
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
