"""Weights in, engine out."""

from pathlib import Path

from tintype.domain.errors import BadCheckpoint
from tintype.engine.engine import Engine


def load_engine(weights: str, *, device: str, threads: int, places: int) -> Engine:
    """Raises `BadCheckpoint`."""
    if not Path(weights).is_dir():
        raise BadCheckpoint(path=weights, problem="there is no such folder")
    raise BadCheckpoint(path=weights, problem="drawing with weights is not built yet")
