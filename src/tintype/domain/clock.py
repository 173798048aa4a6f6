"""The clock that all moments are read from."""

import time


def now() -> int:
    """This moment, in microseconds since the epoch."""
    return time.time_ns() // 1000
