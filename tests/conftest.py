"""Fixtures that every room's tests may use."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from serving import Server, start_server


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server, with the embedded checkpoint, for all tests that leave it as they found it."""
    with start_server(tmp_path_factory.mktemp("server") / "data") as server:
        yield server


@pytest.fixture(scope="session")
def plain_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Like `server`, but its pictures are plain grey and done at once: for what lies around the engine."""
    with start_server(tmp_path_factory.mktemp("plain") / "data", weights="blank:") as server:
        yield server


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Server]:
    """A server with the embedded checkpoint that a test may stop, crash or fill."""
    with start_server(tmp_path / "data") as server:
        yield server
