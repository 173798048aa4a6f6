"""A file part on its way in: small ones in memory, large ones in a file without a name.

Such a file is gone with the process that holds it, however that ends.
"""

import asyncio
import hashlib
import tempfile
from pathlib import Path

from tintype.domain.file_types import BEGINNING, recognize
from tintype.domain.part import Part

IN_MEMORY = 2**20
"""Bytes of a file that need no disk."""
ENOUGH = 512 * 1024
"""Bytes that are worth a write."""


class Spool:
    """Takes a part's bytes as they come. `folder` is where files without a name are made."""

    def __init__(self, name: str, *, folder: Path | None) -> None:
        self._name = name
        self._content = tempfile.SpooledTemporaryFile(IN_MEMORY, dir=str(folder) if folder else None)  # noqa: SIM115
        self._digest = hashlib.sha256()
        self._waiting = bytearray()
        self._size = 0
        self._beginning = b""

    @property
    def is_full(self) -> bool:
        """Whether `flush` is due."""
        return len(self._waiting) >= ENOUGH

    def add(self, data: bytes) -> None:
        """More of the part, to be written with the next `flush`."""
        self._waiting += data
        self._size += len(data)
        if len(self._beginning) < BEGINNING:
            self._beginning += data[: BEGINNING - len(self._beginning)]

    async def flush(self) -> None:
        """Writes what has come."""
        if self._waiting:
            waiting, self._waiting = self._waiting, bytearray()
            await asyncio.to_thread(self._write, waiting)

    def part(self) -> Part:
        """The whole part, once it has been flushed."""
        return Part(
            name=self._name,
            size=self._size,
            digest=self._digest.hexdigest(),
            kind=recognize(self._beginning, self._name),
            content=self._content,
        )

    def close(self) -> None:
        """The bytes are gone."""
        self._content.close()

    def _write(self, data: bytearray) -> None:
        self._digest.update(data)
        self._content.write(data)
