"""Memory that does not suffice: how it is told, and what is tried then."""

import gc
from collections.abc import Sequence
from typing import TypeVar

import torch

from tintype.engine.engine import BadJob

Item = TypeVar("Item")

_ON_THE_CPU = "can't allocate memory"


class TooLarge(BadJob):
    """The job needs more memory than there is"""

    def __init__(self) -> None:
        super().__init__(self.__doc__)


def is_out_of_memory(error: Exception) -> bool:
    """Whether the same work in smaller pieces may succeed."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or _ON_THE_CPU in str(error)


def free_memory(device: torch.device) -> None:
    """Give back what the allocator holds in reserve, so that pieces of another size find room."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()


def in_halves(items: Sequence[Item]) -> tuple[Sequence[Item], Sequence[Item]]:
    """The first may have one more."""
    middle = (len(items) + 1) // 2
    return items[:middle], items[middle:]
