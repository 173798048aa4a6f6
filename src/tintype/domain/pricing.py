"""What a run is expected to take and to cost, from what earlier runs of its model took.

The expectation has the shape of a prior, a constant and a part proportional to the work (pixels × steps),
and the level of what was measured: where runs of one size took twice what the prior says, so will other runs
of about that size. Between measured sizes the level changes evenly with the logarithm of the work.
"""

import math
from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal

import msgspec

from tintype.domain.money import cost

PRIOR_CONSTANT = 1.0
PRIOR_PER_WORK = 2e-7
"""Seconds of any run, and for each pixel and step: 11.5 s for 1024 × 1024 in 50 steps."""


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """What runs of about one size took lately, on average."""

    work: float
    """Pixels × steps."""
    seconds: float


class Quote(msgspec.Struct, frozen=True, kw_only=True):
    """What a run is expected to take and to cost."""

    elapsed: Decimal
    """Seconds, with 4 decimals."""
    cps: int
    """Picodollars per second."""
    total_cost: int
    """Picodollars."""


def size_class(work: float) -> int:
    """The n for which 2ⁿ⁻¹ ≤ work < 2ⁿ; 0 for less than 1. Runs of one class are counted together."""
    return int(work).bit_length()


def quote(paces: Sequence[Pace], *, work: float, cps: int, charge: int | None = None) -> Quote:
    """The quote of a run of that much work (pixels × steps) at `cps` picodollars per second.

    If its cost does not hang on its seconds, `charge` is what it will probably be, in picodollars.
    """
    elapsed = Decimal(expected_seconds(paces, work)).quantize(Decimal("0.0001"), ROUND_HALF_UP)
    return Quote(elapsed=elapsed, cps=cps, total_cost=cost(elapsed, cps) if charge is None else charge)


def expected_seconds(paces: Sequence[Pace], work: float) -> float:
    """Seconds that a run of that much work should take; the prior alone where nothing was measured."""
    measured = sorted((pace for pace in paces if pace.seconds > 0), key=lambda pace: pace.work)
    if not measured:
        return _prior(work)
    below = [pace for pace in measured if pace.work <= work]
    above = [pace for pace in measured if pace.work > work]
    if not below or not above:
        return _level(below[-1] if below else above[0]) * _prior(work)
    low, high = below[-1], above[0]
    way = (_size(work) - _size(low.work)) / (_size(high.work) - _size(low.work))
    return (_level(low) + way * (_level(high) - _level(low))) * _prior(work)


def _prior(work: float) -> float:
    return PRIOR_CONSTANT + PRIOR_PER_WORK * work


def _level(pace: Pace) -> float:
    return pace.seconds / _prior(pace.work)


def _size(work: float) -> float:
    return math.log(1 + work)
