"""A checkpoint's fingerprint follows its weights, wherever they lie and however large they are."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tintype.engine.flux2 import fingerprint as module
from tintype.engine.flux2.fingerprint import fingerprint


@pytest.fixture
def checkpoint(tmp_path: Path, tiny_checkpoint: Path) -> Path:
    return shutil.copytree(tiny_checkpoint, tmp_path / "mine")


def test_a_copy_has_the_same_fingerprint(checkpoint: Path, tiny_checkpoint: Path) -> None:
    (checkpoint / "README.md").write_text("mine")
    (checkpoint / "transformer" / ".cache").write_text("x")

    assert fingerprint(checkpoint) == fingerprint(tiny_checkpoint)
    assert len(fingerprint(checkpoint)) == 32


def grow(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\0")


def change(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def rename(path: Path) -> None:
    path.rename(path.with_suffix(".bak"))


@pytest.mark.parametrize("alter", [grow, change, rename])
@pytest.mark.parametrize("part", ["transformer", "vae", "text_encoder"])
def test_other_weights_have_another(checkpoint: Path, part: str, alter: Callable[[Path], None]) -> None:
    before = fingerprint(checkpoint)

    alter(next((checkpoint / part).glob("*.safetensors")))

    assert fingerprint(checkpoint) != before


def test_of_large_files_a_sample_tells(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PIECE", 64)
    weights = next((checkpoint / "transformer").glob("*.safetensors"))
    assert weights.stat().st_size > 10 * 64 * module.PIECES
    before = fingerprint(checkpoint)

    noise = bytes(byte ^ 1 for byte in weights.read_bytes())
    weights.write_bytes(noise)

    assert fingerprint(checkpoint) != before
