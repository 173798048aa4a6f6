"""The C library's allocator, told to keep what large tensors give back.

Left to itself glibc asks the system for each large tensor anew, and every page of it costs a fault when it is
first touched. Measured on a core of a Xeon, the embedded checkpoint decodes a picture of 1024 × 512 pixels in
a quarter less CPU time without that.
"""

import ctypes
import gc
import sys
from typing import Any

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
_KEPT = 256 * 2**20
"""Bytes that may lie unused at the end of the heap."""
_LARGEST, _LARGEST_BEFORE = 2**30, 32 * 2**20
"""Bytes from which on memory comes from the system after all; before glibc 2.35 the second is the most."""


def keep_memory() -> None:
    """From now on, in the whole process. Other C libraries than glibc are left as they are."""
    if mallopt := _of_libc("mallopt"):
        mallopt(_TRIM_THRESHOLD, _KEPT)
        if not mallopt(_MMAP_THRESHOLD, _LARGEST):
            mallopt(_MMAP_THRESHOLD, _LARGEST_BEFORE)
        mallopt(_ARENA_MAX, 1)  # those that threads have of their own end at 64 MiB


def give_back() -> None:
    """Give back everything that is unused: to the system, and to the GPU if there is one."""
    gc.collect()
    if trim := _of_libc("malloc_trim"):
        trim(0)
    if torch := sys.modules.get("torch"):
        torch.cuda.empty_cache()  # does nothing where there is none


def _of_libc(name: str) -> Any:
    try:
        return getattr(ctypes.CDLL(None), name, None)
    except (OSError, TypeError):  # Windows
        return None
