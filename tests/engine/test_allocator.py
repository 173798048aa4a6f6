"""Memory of large tensors: kept for the next ones, and given back when it is wanted elsewhere."""

import platform
import subprocess
import sys

import pytest

LIBC, VERSION = platform.libc_ver()
glibc = pytest.mark.skipif(LIBC != "glibc", reason="only glibc's allocator is told")
recent = pytest.mark.skipif(
    [int(part) for part in VERSION.split(".") if part.isdigit()] < [2, 35],
    reason="older ones keep nothing as large as this",
)

BEGINNING = """
import ctypes, resource, threading, torch
from pathlib import Path
from tintype.engine.allocator import give_back, keep_memory

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()

PR_SET_THP_DISABLE = 41  # with huge pages there are few faults to count
ctypes.CDLL(None).prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0)

def draw():
    torch.ones(20 * 2**20)  # more than fits into the arena of a thread

"""


def printed(program: str) -> list[int]:
    result = subprocess.run(
        [sys.executable, "-c", BEGINNING + program], capture_output=True, text=True, check=True
    )
    return [int(word) for word in result.stdout.split()]


COUNTED = """
def count():
    for _ in range(20):
        draw()
    before = faults()
    for _ in range(20):
        draw()
    print(faults() - before)

count()
thread = threading.Thread(target=count)
thread.start()
thread.join()
"""


@glibc
@recent
def test_a_large_tensor_after_another_one_touches_no_new_page_in_any_thread() -> None:
    usual = printed(COUNTED)
    kept = printed(f"keep_memory()\n{COUNTED}")

    assert max(kept) < 1000 < min(usual)


@glibc
def test_what_is_kept_is_given_back_on_demand() -> None:
    held, kept, given_back = printed("""
keep_memory()
before = resident()
tensors = [torch.ones(2**20) for _ in range(50)]
print(resident() - before)
del tensors
print(resident() - before)
give_back()
print(resident() - before)
""")

    assert held > 150 * 2**20
    assert kept > held // 2
    assert given_back < held // 4
