"""Memory: how much of it jobs may use, how it is told when it does not suffice, and what is tried then."""

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import torch

from tintype.engine.allocator import give_back
from tintype.engine.engine import NO_MEMORY, BadJob
from tintype.engine.limits import MIB

Item = TypeVar("Item")

UNBOUNDED = 2**62
"""Bytes, where nobody says how many there are."""


class TooLarge(BadJob):
    """The job needs more memory than there is."""

    def __init__(self) -> None:
        super().__init__(NO_MEMORY)


class TooLargeEver(BadJob):
    """The job needs more memory than jobs may ever use."""

    def __init__(self, needed: int, budget: int) -> None:
        most, needs = budget // MIB, -(-needed // MIB)
        super().__init__(
            f"The job needs about {needs} MiB of memory, but jobs here may use {most} MiB: "
            "a smaller picture needs less, and so do fewer reference pictures"
        )


def reserved_memory(device: torch.device) -> int:
    """Bytes of the device's own memory that the allocator holds; 0 if it has none of its own."""
    if device.type == "cuda":
        return torch.cuda.memory_reserved(device)
    return torch.mps.driver_allocated_memory() if device.type == "mps" else 0


def budget_of(device: torch.device, *, beside: int) -> int:
    """Bytes for jobs on a device that holds the weights already, where `beside` is kept for other things.

    Nine tenths of what is free on a GPU; half of what is available on a CPU, which others use, too.
    """
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return max(0, free * 9 // 10 - beside)
    give_back()
    return max(0, available_memory() // 2 - beside)


def available_memory(root: Path = Path("/")) -> int:
    """Bytes of RAM that this process may still take, as the system and its control group say."""
    found = [*_available_to_system(root), *_available_to_group(root)]
    return min(found) if found else os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2


def _available_to_system(root: Path) -> Iterator[int]:
    with suppress(OSError):
        for line in (root / "proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                yield int(line.split()[1]) * 1024


def _available_to_group(root: Path) -> Iterator[int]:
    group = root / "sys/fs/cgroup"
    with suppress(OSError, ValueError):  # "max" is no number, and no limit
        yield max(0, int((group / "memory.max").read_text()) - int((group / "memory.current").read_text()))


def in_halves(items: Sequence[Item]) -> tuple[Sequence[Item], Sequence[Item]]:
    """The first may have one more."""
    middle = (len(items) + 1) // 2
    return items[:middle], items[middle:]
