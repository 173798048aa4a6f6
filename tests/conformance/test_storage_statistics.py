"""What the runs of each model have shown."""

from decimal import Decimal

import pytest

from conformance.storekeeper import SECOND, Storekeeper, failure
from tintype.domain.lifecycle import Status
from tintype.storage.statistics import Runs, runs_by_model

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]

MODEL = "black-forest-labs/flux-2-flex-t2i"


async def test_without_runs_there_is_nothing_to_tell(store: Storekeeper) -> None:
    assert await store.database.read(runs_by_model) == {}


async def test_runs_are_counted_by_their_end_and_successes_timed(store: Storekeeper) -> None:
    for seconds in (2, 4.5):
        task = await store.claimed()
        store.pass_time(seconds)
        await store.advance(task.lease, Status.END)
        store.pass_time(10)
        await store.finish(task.lease)
    await store.finished(failure())
    await store.cancel(await store.submit())
    store.pass_time(1)
    await store.submit()

    runs = (await store.database.read(runs_by_model))[MODEL]

    assert runs == Runs(all=5, successes=2, failures=1, last=store.now, average_elapsed=Decimal("3.2500"))
    assert store.now % SECOND == 500_000


async def test_every_model_is_counted_for_itself(store: Storekeeper) -> None:
    await store.submit()
    await store.submit(model="someone/else")

    counted = await store.database.read(runs_by_model)

    assert {model: runs.all for model, runs in counted.items()} == {MODEL: 1, "someone/else": 1}
