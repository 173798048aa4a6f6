"""What a client does, as generators: requests and pauses come out, answers go in. Knows no sockets.

A `Steps[T]` is a conversation with the server that ends in a T. `Client` and `AsyncClient` differ only in
how they carry out its steps: whoever drives it performs each `Send` and sends back the `Answer` (or throws
`Unreachable` into it), sits out each `Pause`, and finds the result in StopIteration.
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


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What came back."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes


Steps: TypeAlias = Generator[Send | Pause, Answer | None, T]


def send(request: Send) -> Steps[Answer]:
    """One request. Raises Unreachable."""
    answer = yield request
    assert answer is not None, "a Send is answered with an Answer"
    return answer


def pause(seconds: float) -> Steps[None]:
    """One pause."""
    yield Pause(seconds)
