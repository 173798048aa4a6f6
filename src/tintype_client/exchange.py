"""What a client does, as generators: requests and pauses come out, answers go in. Knows no connections.

A `Steps[T]` is a conversation with the server that ends in a T. `Client` and `AsyncClient` differ only in
how they carry out its steps: whoever drives it performs each `Send` and sends back the `Answer` (or throws
`Unreachable` into it), sits out each `Pause`, and finds the result in StopIteration. A conversation may also
`Open` one WebSocket at a time and `Hear` what comes over it.
"""

from collections.abc import Generator, Mapping
from typing import TypeAlias, TypeVar

import msgspec

T = TypeVar("T")


class Send(msgspec.Struct, frozen=True, kw_only=True):
    """Make this HTTP request."""

    method: str
    url: str
    headers: Mapping[str, str] = {}
    body: bytes = b""
    patience: float | None = None
    """Seconds to wait for the answer; None for as long as for any other."""


class Pause(msgspec.Struct, frozen=True):
    """Let this time pass."""

    seconds: float


class Open(msgspec.Struct, frozen=True, kw_only=True):
    """Open the WebSocket, in place of one that may be open, and say this first."""

    url: str
    message: str


class Hear(msgspec.Struct, frozen=True):
    """Wait so long for the next text that comes over the WebSocket."""

    seconds: float


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What came back."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes


Step: TypeAlias = Send | Pause | Open | Hear
Result: TypeAlias = Answer | str | None
"""An Answer to a Send, the text or None to a Hear, None to everything else."""
Steps: TypeAlias = Generator[Step, Result, T]


def send(request: Send) -> Steps[Answer]:
    """One request. Raises Unreachable."""
    answer = yield request
    assert isinstance(answer, Answer), "a Send is answered with an Answer"
    return answer


def pause(seconds: float) -> Steps[None]:
    """One pause."""
    yield Pause(seconds)


def open_socket(url: str, message: str) -> Steps[None]:
    """Opens the WebSocket and says something. Raises Unreachable."""
    yield Open(url=url, message=message)


def hear(seconds: float) -> Steps[str | None]:
    """What comes next over the open WebSocket; None if nothing came. Raises Unreachable."""
    text = yield Hear(seconds)
    assert text is None or isinstance(text, str), "a Hear is answered with a text"
    return text
