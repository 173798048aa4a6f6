"""Weights for tests that need time to look."""

from pathlib import Path

import pytest


@pytest.fixture
def slow(tiny_checkpoint: Path) -> str:
    """Weights that take many steps to a picture, which has no meaning."""
    return str(tiny_checkpoint)
