"""Trying again, where a second try cannot do more than the first."""

from collections.abc import Callable, Iterator
from typing import TypeVar

from tintype_client.errors import ServerFault, TooManyRequests, Unreachable
from tintype_client.exchange import Steps, pause

T = TypeVar("T")

LONGEST_RETRY_AFTER = 60.0


def pauses(*, first: float = 0.2, factor: float = 2.0, tries: int = 4) -> Iterator[float]:
    """The seconds between that many tries: 0.2, 0.4, 0.8."""
    for number in range(tries - 1):
        yield first * factor**number


def retrying(call: Callable[[], Steps[T]]) -> Steps[T]:
    """`call`, again after a lost connection, a server fault or a rate limit; a few times at most.

    Only for calls that may arrive twice: reads, Cancel, Kill, and Run with an Idempotency-Key.
    """
    waits = pauses()
    while True:
        try:
            return (yield from call())
        except (Unreachable, ServerFault, TooManyRequests) as problem:
            wait = next(waits, None)
            if wait is None or not _may_pass(problem):
                raise
            if isinstance(problem, TooManyRequests):
                wait = problem.retry_after
        yield from pause(wait)


def _may_pass(problem: Exception) -> bool:
    """Whether the same request could fare better a little later."""
    if isinstance(problem, ServerFault):
        return problem.http_status >= 500
    if isinstance(problem, TooManyRequests):
        return problem.retry_after <= LONGEST_RETRY_AFTER
    return True
