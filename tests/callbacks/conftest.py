"""A store whose tasks end as a test likes, and couriers that send what that brings about."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from callbacks.office import Office, open_office


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    async with open_office(tmp_path) as office:
        yield office
