"""What an account may run on its balance. Amounts are picodollars."""

from enum import StrEnum

import msgspec

from tintype.domain.money import PICODOLLARS

LEAST_BALANCE = PICODOLLARS // 2
"""Below $0.50 nothing is run."""
LIMITED_UP_TO = 250 * PICODOLLARS
"""Above this balance any number of tasks may be unfinished."""
DOLLARS_PER_TASK = 10


class Wallet(msgspec.Struct, frozen=True, kw_only=True):
    """What an account has."""

    balance: int
    """The sum of its ledger."""
    reserved: int
    """Put aside for tasks that have not ended; never more than the balance."""

    @property
    def available(self) -> int:
        """What may be spent or put aside."""
        return self.balance - self.reserved

    @property
    def max_concurrent(self) -> int | None:
        """How many of the account's tasks may be unfinished at once; None is no limit."""
        if self.balance > LIMITED_UP_TO:
            return None
        return max(1, self.balance // (DOLLARS_PER_TASK * PICODOLLARS))


class Kind(StrEnum):
    """Why the ledger has a row."""

    CHARGE = "charge"
    """A run, paid from the balance: `amount` is minus what was paid, at most what the run cost."""
    FREE = "free"
    """A run that was accepted while nothing was charged; `amount` is 0."""
    REFUND = "refund"
    """Money given back for a charged run."""
    TOP_UP = "top-up"
    """Money paid in."""
    ADJUSTMENT = "adjustment"
    """A correction, up or down."""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the ledger."""

    id: int
    account_id: int
    kind: Kind
    amount: int
    """What the balance changed by."""
    cost: int
    """What the run cost; 0 where there was none."""
    task_id: int | None
    project_id: int | None
    """The project that pays for the run."""
    reason: str
    created: int
    """Microseconds since the epoch."""

    @property
    def shortfall(self) -> int:
        """What a charged run cost beyond what the balance could pay."""
        return self.cost + self.amount if self.kind is Kind.CHARGE else 0
