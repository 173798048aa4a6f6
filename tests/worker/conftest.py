"""One workshop for each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from worker.workshop import Workshop, open_workshop


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def workshop(tmp_path: Path) -> AsyncIterator[Workshop]:
    async with open_workshop(tmp_path) as workshop:
        yield workshop
