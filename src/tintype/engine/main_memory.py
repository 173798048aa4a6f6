"""How much main memory there is for this process and all others."""

import os
from pathlib import Path

_LIMIT = Path("/sys/fs/cgroup/memory.max")


def main_memory() -> int:
    """Bytes: what the machine has, or what its container may use of it."""
    installed = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        return min(installed, int(_LIMIT.read_text()))
    except (OSError, ValueError):  # there is no container, or no limit to it
        return installed
