"""One workshop for each test, and something that draws slowly."""

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


@pytest.fixture
def slow(tiny_checkpoint: Path) -> str:
    """Weights that take many steps to a picture, which has no meaning."""
    return str(tiny_checkpoint)
