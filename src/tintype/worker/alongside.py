"""Background parts that share one life."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

T = TypeVar("T")


@asynccontextmanager
async def alongside(*parts: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Runs the parts while the body runs. They end with it; if one fails, all end.

    Raises what failed first, as it is.
    """
    try:
        async with asyncio.TaskGroup() as group:
            running = [group.create_task(part) for part in parts]
            yield
            for part in running:
                part.cancel()
    except BaseExceptionGroup as failures:
        raise _first(failures) from None


async def unless(event: asyncio.Event, work: Coroutine[Any, Any, T]) -> T | None:
    """What the work gives; None if the event comes first, and then the work is stopped at once."""
    working, waiting = asyncio.create_task(work), asyncio.create_task(event.wait())
    try:
        await asyncio.wait((working, waiting), return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else None
    finally:
        working.cancel()
        waiting.cancel()
        await asyncio.gather(working, waiting, return_exceptions=True)


def _first(failure: BaseException) -> BaseException:
    while isinstance(failure, BaseExceptionGroup):
        failure = failure.exceptions[0]
    return failure
