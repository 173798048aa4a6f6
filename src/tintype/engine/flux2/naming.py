"""Whatever goes wrong with a part of a checkpoint is the checkpoint's fault, told in one line."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tintype.domain.errors import BadCheckpoint
from tintype.engine.engine import is_out_of_memory

_LONGEST = 300
_FITTING = "does not fit into memory; docs/weights.md says what does, by offload and quantisation"


@contextmanager
def naming(weights: str, part: str) -> Iterator[None]:
    """Turns any exception into a `BadCheckpoint` that names the weights and the part."""
    try:
        yield
    except BadCheckpoint:
        raise
    except Exception as error:
        raise BadCheckpoint(path=weights, problem=f"{part}: {_told(error)}") from error


def _told(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"{error} is missing"
    if isinstance(error, FileNotFoundError) and error.filename:
        return f"{Path(error.filename).name} is missing"
    if is_out_of_memory(error):
        return _FITTING
    return " ".join(str(error).split())[:_LONGEST] or type(error).__name__
