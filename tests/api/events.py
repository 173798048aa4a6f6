"""A reader of server-sent events, with the words that tests need."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import httpx2

from api.wire import RUN, Caller, Wire

SYNC = f"{RUN}/sync"


class Event(NamedTuple):
    """One event."""

    type: str
    id: int
    data: dict[str, Any]


class Reader:
    """What comes over one answer, line by line."""

    def __init__(self, response: httpx2.Response) -> None:
        self.response = response
        self._lines = response.iter_lines()

    def __iter__(self) -> Iterator[Event]:
        fields: dict[str, str] = {}
        for line in self._lines:
            if line and not line.startswith(":"):
                name, _, value = line.partition(": ")
                assert name not in fields
                fields[name] = value
            elif not line and fields:
                yield Event(fields["event"], int(fields["id"]), json.loads(fields["data"]))
                fields = {}

    def hear_comments(self, number: int) -> None:
        """Waits for so many comments, before which no event may come."""
        for _ in range(2 * number):
            line = next(self._lines)
            assert not line or line.startswith(":")

    def next(self) -> Event:
        """The next event."""
        return next(iter(self))


@contextmanager
def reading(
    wire: Wire, *, caller: Caller | None = None, body: dict[str, Any] | None = None, **headers: str
) -> Iterator[Reader]:
    """A Run that is answered with events."""
    sent = {**(caller or wire.caller).headers(), "accept": "text/event-stream", **headers}
    body = {"prompt": "a red kite"} if body is None else body
    with (
        httpx2.Client(base_url=wire.url, timeout=20) as http,
        http.stream("POST", SYNC, json=body, headers=sent) as response,
    ):
        yield Reader(response)
