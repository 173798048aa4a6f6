"""Hearing of a task over the WebSocket, over one connection after another if need be."""

import time
from collections.abc import Callable
from typing import Any

import msgspec

from tintype_client.errors import Unreachable
from tintype_client.exchange import Steps, hear, open_socket

FIRST_REST, LONGEST_REST = 0.25, 30.0
"""Seconds after which a line that was lost or could not be opened is tried again, doubled each time."""


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """A frame, as far as it matters. Frames of no task have no `seq`."""

    type: str = ""
    tasktoken: str = ""
    seq: int | None = None
    terminal: bool = False
    message: Any = None


class Listener:
    """Listens to the task of a token. After a lost line it asks for what it has missed."""

    def __init__(self, url: str, token: str, *, previews: bool) -> None:
        self._url = url
        self._token = token
        self._previews = previews
        self._sequence: int | None = None
        self._is_open = False
        self._failures = 0
        self._rests_until = 0.0

    @property
    def may_listen(self) -> bool:
        """Whether the line is there, or it is time to try it."""
        return self._is_open or time.monotonic() >= self._rests_until

    def listen(self, tell: Callable[[Told], None], *, seconds: float) -> Steps[None]:
        """Tells what it hears of the task before its end; at most for so long.

        Returns when the end has been told or the line is lost, too: the caller should look for itself.
        """
        until = time.monotonic() + seconds
        try:
            if not self._is_open:
                yield from open_socket(self._url, self._registration())
                self._is_open = True
            while (left := until - time.monotonic()) > 0:
                text = yield from hear(left)
                if text is None or self._heed(text, tell):
                    return
        except Unreachable:
            self._is_open = False
            self._rests_until = time.monotonic() + min(FIRST_REST * 2**self._failures, LONGEST_REST)
            self._failures += 1

    def _heed(self, text: str, tell: Callable[[Told], None]) -> bool:
        """Tells of the frame; whether it was the last. Raises Unreachable if it makes no sense here."""
        try:
            told = msgspec.json.decode(text, type=Told)
        except (msgspec.MsgspecError, UnicodeDecodeError) as problem:
            raise Unreachable("what comes over the line is not Tintype's") from problem
        if told.type == "error":
            raise Unreachable(str(told.message))
        if told.tasktoken == self._token and told.seq is not None:
            if told.seq > (self._sequence or 0):
                self._sequence, self._failures = told.seq, 0
            if not told.terminal:
                tell(told)
        return told.terminal

    def _registration(self) -> str:
        asked: dict[str, Any] = {
            "type": "task_info",
            "tasktoken": self._token,
            "preview": self._previews,
        }
        if self._sequence is not None:
            asked["lastseq"] = self._sequence
        return msgspec.json.encode(asked).decode()
