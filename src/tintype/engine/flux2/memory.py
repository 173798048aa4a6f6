"""Memory that does not suffice: how it is told, and what is tried then."""

import gc
from collections.abc import Sequence
from typing import TypeVar

import torch

from tintype.engine.engine import NO_MEMORY, BadJob

Item = TypeVar("Item")


class TooLarge(BadJob):
    """The job needs more memory than there is."""

    def __init__(self) -> None:
        super().__init__(NO_MEMORY)


def free_memory(device: torch.device) -> None:
    """Give back what the allocator holds in reserve, so that pieces of another size find room."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()


def in_halves(items: Sequence[Item]) -> tuple[Sequence[Item], Sequence[Item]]:
    """The first may have one more."""
    middle = (len(items) + 1) // 2
    return items[:middle], items[middle:]
