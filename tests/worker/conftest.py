"""One workshop for each test, and something that draws slowly."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from engine.checkpoints import write_checkpoint
from worker.workshop import Workshop, open_workshop


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def workshop(tmp_path: Path) -> AsyncIterator[Workshop]:
    async with open_workshop(tmp_path) as workshop:
        yield workshop


@pytest.fixture(scope="session")
def slow(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Weights that take many steps to a picture, which has no meaning."""
    return str(write_checkpoint(tmp_path_factory.mktemp("slow") / "tiny"))
