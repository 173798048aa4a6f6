"""Money of the tests, and tasks that are paid."""

from typing import Any

from conformance.storekeeper import CPS, Storekeeper
from tintype.domain.money import PICODOLLARS
from tintype.domain.task import Task

DOLLAR = PICODOLLARS
PRICE = CPS
"""What a task of the storekeeper's is expected to cost while no run was measured: one second."""


async def drawn(store: Storekeeper, *, seconds: float, **changes: Any) -> Task:
    """A paid task that succeeded after so many seconds."""
    await store.submit_paid(**changes)
    (task,) = await store.claim()
    store.pass_time(seconds)
    return await store.finish(task.lease)
