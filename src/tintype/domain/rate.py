"""Rates: how often a project may ask, as a bucket of permits that fills again at a steady pace."""

import re
from enum import StrEnum
from functools import lru_cache

import msgspec

from tintype.domain.money import MICROSECONDS

OFF = "off"
FORM = "must be off, or such as 10/s, 100/min burst 20 (per s, min, h or day)"
MOST = 1_000_000
"""No rate has more permits than this, in its time or in its burst."""

_SECONDS = {"s": 1, "min": 60, "h": 3600, "day": 86_400}
_RATE = re.compile(r"([0-9]{1,7})\s*/\s*(s|min|h|day)(?:\s+burst\s+([0-9]{1,7}))?")


class Limited(StrEnum):
    """What a rate can limit."""

    RUN = "run"
    UPLOAD = "upload"


class Rate(msgspec.Struct, frozen=True, kw_only=True):
    """So many requests in so much time, and how many of them may come at once."""

    requests: int
    per: str
    """`s`, `min`, `h` or `day`."""
    burst: int

    @property
    def interval(self) -> int:
        """Microseconds after which one more permit is there."""
        return _SECONDS[self.per] * MICROSECONDS // self.requests

    @property
    def capacity(self) -> int:
        """Microseconds in which an empty bucket fills."""
        return self.burst * self.interval

    def __str__(self) -> str:
        return f"{self.requests}/{self.per} burst {self.burst}"


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How a project stands with a rate after it has asked."""

    rate: Rate
    allowed: bool
    remaining: int
    """Requests that may follow at once."""
    wait: int
    """Microseconds until one more may follow than `remaining`; 0 with a full bucket."""

    @property
    def seconds(self) -> int:
        """The wait in whole seconds, rounded up."""
        return -(-self.wait // MICROSECONDS)


@lru_cache(maxsize=1024)
def read_rate(text: str) -> Rate | None:
    """`10/s burst 50`, or None for `off`. Without a burst as many may come at once as in the whole time.

    Raises ValueError saying what would be right.
    """
    if text.strip().lower() == OFF:
        return None
    form = _RATE.fullmatch(text.strip().lower())
    if form is None:
        raise ValueError(f"{FORM}, not {text!r}")
    requests, per, burst = int(form[1]), form[2], int(form[3] or form[1])
    if not (1 <= requests <= MOST and 1 <= burst <= MOST):
        raise ValueError(f"must allow between 1 and {MOST} requests, not {text!r}")
    return Rate(requests=requests, per=per, burst=burst)


def standing(rate: Rate, *, full: int, now: int, allowed: bool) -> Standing:
    """What a bucket that will be `full` at that moment means `now`; both in microseconds."""
    missing = max(full - now, 0)
    remaining = max((rate.capacity - missing) // rate.interval, 0)
    wait = missing - (rate.capacity - (remaining + 1) * rate.interval) if missing else 0
    return Standing(rate=rate, allowed=allowed, remaining=remaining, wait=wait)
