"""Fixtures that every room's tests may use. A server starts when the first test asks for it."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from serving import Server, start_server

# Tests run beside each other, so each process makes do with one core, and so do those that it starts.
os.environ.setdefault("OMP_NUM_THREADS", "1")


def with_folder(name: str) -> str:
    """PYTHONPATH with a folder of tests before all others, whose `sitecustomize` each new Python runs."""
    folders = [str(Path(__file__).parent / name), os.environ.get("PYTHONPATH", "")]
    return os.pathsep.join(filter(None, folders))


os.environ["PYTHONPATH"] = with_folder("lean")

# Tests started in the background ignore Ctrl-C, and so would every process that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True, scope="session")
def short_tracebacks() -> None:
    """Tracebacks with all values at hand take seconds to print, in which nothing else happens."""
    render = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[structlog.processors.add_log_level, render])


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A FLUX.2 checkpoint of random weights: it draws noise, but step by step, as the real ones do."""
    from engine.checkpoints import write_checkpoint

    return write_checkpoint(tmp_path_factory.mktemp("weights") / "tiny")


@pytest.fixture
def sickness(monkeypatch: pytest.MonkeyPatch) -> None:
    """Engine hosts that start from now on fall ill as prompts tell them to (`sickness/symptoms.py`)."""
    monkeypatch.setenv("PYTHONPATH", with_folder("sickness"))


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, tiny_checkpoint: Path) -> Iterator[Server]:
    """One server with a real engine, on random weights, for all tests that leave it as they found it."""
    with start_server(tmp_path_factory.mktemp("server") / "data", weights=tiny_checkpoint) as server:
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
