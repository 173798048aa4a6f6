"""Background parts that share one life."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any


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


def _first(failure: BaseException) -> BaseException:
    while isinstance(failure, BaseExceptionGroup):
        failure = failure.exceptions[0]
    return failure
