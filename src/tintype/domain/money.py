"""Prices and times as the wire prints them. Money is whole picodollars (10⁻¹² $), never a float."""

from decimal import ROUND_HALF_UP, Decimal

PICODOLLARS = 10**12
MICROSECONDS = 10**6
MOST_MONEY = 9_000_000 * PICODOLLARS
"""The largest balance and the largest single amount: nine million dollars fit into 64 bits."""


def picodollars(price: str | Decimal) -> int:
    """A decimal price in dollars as whole picodollars; at most 12 decimals."""
    scaled = Decimal(price) * PICODOLLARS
    if scaled != scaled.to_integral_value():
        raise ValueError(f"{price} has more than 12 decimals")
    return int(scaled)


def dollars(amount: int) -> str:
    """Picodollars as dollars with exactly 12 decimals: `3510000000` → `"0.003510000000"`."""
    sign, digits = ("-", -amount) if amount < 0 else ("", amount)
    return f"{sign}{digits // PICODOLLARS}.{digits % PICODOLLARS:012d}"


def cents(amount: int) -> str:
    """Picodollars as dollars with 2 decimals, rounded down: nobody is shown money that is not there."""
    sign, digits = ("-", -amount) if amount < 0 else ("", amount)
    whole = digits * 100 // PICODOLLARS
    return f"{sign}{whole // 100}.{whole % 100:02d}"


def elapsed_seconds(start: int, end: int) -> Decimal:
    """Seconds between two moments (microseconds since the epoch), with exactly 4 decimals.

    0.0000 while either has not happened (is 0).
    """
    if not start or not end:
        return Decimal("0.0000")
    return (Decimal(end - start) / MICROSECONDS).quantize(Decimal("0.0001"), ROUND_HALF_UP)


def cost(elapsed: Decimal, cps: int) -> int:
    """What `elapsed` seconds cost at `cps` picodollars per second, rounded half up."""
    return int((elapsed * cps).to_integral_value(ROUND_HALF_UP))


def epoch(moment: int) -> str:
    """A moment (microseconds) as decimal Unix seconds, truncated; `"0"` if it has not happened."""
    return str(moment // MICROSECONDS)
