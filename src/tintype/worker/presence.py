"""A lock that a worker holds while it lives, so that its machine sees at once that it has died.

The kernel lets go of the lock when the process ends, however it ends; process ids, which come again
and differ between containers, play no part. Workers on other machines are known by their heartbeats.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

LOCKED = "*.lock"


@contextmanager
def present(folder: Path, worker: str) -> Iterator[None]:
    """Holds the worker's lock in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    path, nascent = folder / f"{worker}.lock", folder / f"{worker}.nascent"
    with nascent.open("w") as file:
        _try_lock(file)
        nascent.rename(path)  # seen by others only once it is held
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def absent(folder: Path) -> list[str]:
    """The workers whose lock in the folder nobody holds: they died."""
    return [path.stem for path in sorted(folder.glob(LOCKED)) if _is_free(path)]


def holders(folder: Path) -> list[str]:
    """The workers whose lock in the folder is held: they live."""
    return [path.stem for path in sorted(folder.glob(LOCKED)) if not _is_free(path)]


def forget(folder: Path, worker: str) -> None:
    """Removes what a dead worker left, its lock last."""
    for left in (*folder.glob(f"{worker}.models*"), folder / f"{worker}.lock"):
        left.unlink(missing_ok=True)


def _is_free(path: Path) -> bool:
    try:
        with path.open("r+") as file:
            return _try_lock(file)
    except FileNotFoundError:
        return False


if sys.platform == "win32":

    def _try_lock(file: IO[str]) -> bool:
        return False

else:
    import fcntl

    def _try_lock(file: IO[str]) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
