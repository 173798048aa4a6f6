import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tintype.engine.flux2.engine import Flux2Engine

from .checkpoints import write_checkpoint

os.environ["HF_HUB_OFFLINE"] = os.environ["TRANSFORMERS_OFFLINE"] = "1"
os.environ["TRANSFORMERS_VERBOSITY"] = os.environ["DIFFUSERS_VERBOSITY"] = "error"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def klein(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny checkpoint with classifier-free guidance and a static shift."""
    return write_checkpoint(tmp_path_factory.mktemp("klein") / "tiny")


@pytest.fixture(scope="session")
def shifting(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with a shift that depends on size and steps, as the real ones."""
    return write_checkpoint(tmp_path_factory.mktemp("shifting") / "tiny", dynamic_shift=True)


@pytest.fixture
def engine_of() -> Callable[..., Flux2Engine]:
    def make(folder: Path, **limits: int) -> Flux2Engine:
        from .drawing import open_engine

        engine = open_engine(folder)
        for name, limit in limits.items():
            setattr(engine._steps, name, limit)
        return engine

    return make


@pytest.fixture
def engine(klein: Path, engine_of: Callable[..., Flux2Engine]) -> Flux2Engine:
    return engine_of(klein)
