"""When a failed callback is sent again: soon at first, then more and more seldom, and after a day no more."""

import random
from dataclasses import dataclass

from tintype.domain.callback import Callback
from tintype.domain.money import MICROSECONDS

GROWTH = 2.5
"""By how much each pause is longer than the one before: some thirteen attempts in a day from 5 s on."""
SPREAD = 0.2
"""Part by which a pause may be shorter or longer, so that what failed together comes back apart."""
LONGEST = 24 * 60 * 60 * MICROSECONDS
"""How long after the first attempt the last one is made."""


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """`first_retry` is the first pause, in seconds."""

    first_retry: float = 5.0

    def again(self, callback: Callback, *, now: int) -> int | None:
        """When to send it after the attempt that has just failed; None if it was the last.

        Moments are in microseconds since the epoch.
        """
        last = callback.begun + LONGEST
        pause = self.pause(callback.tries) * random.uniform(1 - SPREAD, 1 + SPREAD)
        return min(now + round(pause * MICROSECONDS), last) if now < last else None

    def pause(self, tries: int) -> float:
        """Seconds between a try, counted from 1, and the next; give or take SPREAD."""
        return float(self.first_retry * GROWTH ** (tries - 1))
