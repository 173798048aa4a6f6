"""Where the models of this machine's workers stand, for its operator: a file beside each worker's lock."""

from collections.abc import Iterable
from pathlib import Path

import msgspec

from tintype.engine.protocol import Shelved
from tintype.worker.presence import holders

_SUFFIX = ".models"


def write_standing(folder: Path, worker: str, models: Iterable[Shelved]) -> None:
    """What the worker's engines say of their models now."""
    path, nascent = folder / f"{worker}{_SUFFIX}", folder / f"{worker}{_SUFFIX}.nascent"
    nascent.write_bytes(msgspec.json.encode(list(models)))
    nascent.rename(path)


def remove_standing(folder: Path, worker: str) -> None:
    (folder / f"{worker}{_SUFFIX}").unlink(missing_ok=True)


def read_standings(folder: Path) -> dict[str, list[Shelved]]:
    """Worker to models, of every worker that lives and has an engine."""
    paths = {worker: folder / f"{worker}{_SUFFIX}" for worker in holders(folder)}
    return {
        worker: msgspec.json.decode(path.read_bytes(), type=list[Shelved])
        for worker, path in paths.items()
        if path.is_file()
    }
