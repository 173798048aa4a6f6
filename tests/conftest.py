"""Fixtures that every room's tests may use. A server starts when the first test asks for it."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from serving import Server, start_server

# Tests started in the background ignore Ctrl-C, and so would every process that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A FLUX.2 checkpoint of random weights: it draws noise, but step by step, as the real ones do."""
    from engine.checkpoints import write_checkpoint

    return write_checkpoint(tmp_path_factory.mktemp("weights") / "tiny")


@pytest.fixture
def sickness(monkeypatch: pytest.MonkeyPatch) -> None:
    """Engine hosts that start from now on fall ill as prompts tell them to (`sickness/symptoms.py`)."""
    folders = [str(Path(__file__).parent / "sickness"), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, folders)))


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, tiny_checkpoint: Path) -> Iterator[Server]:
    """One server with a real engine, on random weights, for all tests that leave it as they found it."""
    with start_server(tmp_path_factory.mktemp("server") / "data", weights=tiny_checkpoint) as server:
        yield server


@pytest.fixture
def own_server(tmp_path: Path, tiny_checkpoint: Path) -> Iterator[Server]:
    """Like `server`, for one test, which may stop, crash or fill it."""
    with start_server(tmp_path / "data", weights=tiny_checkpoint) as server:
        yield server


@pytest.fixture(scope="session")
def plain_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Like `server`, but its pictures are plain grey and done at once: for what lies around the engine."""
    with start_server(tmp_path_factory.mktemp("plain") / "data", weights="blank:") as server:
        yield server


@pytest.fixture(scope="session")
def drawing_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Like `server`, but it draws with the checkpoint that Tintype brings along, as a stranger's does."""
    with start_server(tmp_path_factory.mktemp("drawing") / "data") as server:
        yield server
