"""A checkpoint's fingerprint: tells its weights from others of the same name. Imports no tensor library."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

FILES = ("model_index.json", "tintype.toml")
PARTS = ("transformer", "vae", "text_encoder", "tokenizer", "scheduler")
DIGITS = 32
PIECE = 2**16
PIECES = 16
"""Of a file larger than so many pieces, so many are read, from its first bytes to its last."""


def fingerprint(folder: Path) -> str:
    """`DIGITS` hexadecimal digits over the names, sizes and bytes of the checkpoint's files.

    Of large files a sample of pieces: training moves nearly every weight, so that any of them tells, and
    sixty gigabytes take no longer than one.
    """
    digest = hashlib.sha256()
    for path in _files(folder):
        size = path.stat().st_size
        digest.update(f"{path.relative_to(folder).as_posix()}\0{size}\0".encode())
        with path.open("rb") as file:
            for piece in _pieces(file, size):
                digest.update(piece)
    return digest.hexdigest()[:DIGITS]


def adapted(fingerprint: str, lora: Path, strength: float) -> str:
    """The fingerprint of a checkpoint that a file of low-rank weights changes."""
    digest = hashlib.sha256(f"{fingerprint}\0{strength!r}\0".encode())
    digest.update(lora.read_bytes())
    return digest.hexdigest()[:DIGITS]


def _files(folder: Path) -> list[Path]:
    loose = (folder / name for name in FILES)
    within = (path for part in PARTS for path in (folder / part).rglob("*"))
    wanted = (path for path in (*loose, *within) if path.is_file() and not path.name.startswith("."))
    return sorted(wanted, key=lambda path: path.relative_to(folder).as_posix())


def _pieces(file: BinaryIO, size: int) -> Iterator[bytes]:
    if size <= PIECE * PIECES:
        yield file.read()
        return
    for number in range(PIECES):
        file.seek((size - PIECE) * number // (PIECES - 1))
        yield file.read(PIECE)
