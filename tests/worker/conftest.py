"""One workshop for each test, and something that draws slowly."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from worker.website import Site, open_site
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


@pytest.fixture
def site() -> Iterator[Site]:
    with open_site() as site:
        yield site


@pytest.fixture
async def open_minded(tmp_path: Path) -> AsyncIterator[Workshop]:
    """A workshop that fetches from this machine, too."""
    async with open_workshop(tmp_path, allow_private=True) as workshop:
        yield workshop
