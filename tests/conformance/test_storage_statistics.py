"""What the runs of each model have shown."""

import asyncio
from decimal import Decimal

import pytest

from conformance.storekeeper import SECOND, Storekeeper, failure
from tintype.domain.lifecycle import Status
from tintype.storage.statistics import RECENT, Runs, paces, runs_by_model

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


async def drawn(store: Storekeeper, *, seconds: float, work: float) -> None:
    task = await store.claimed(cost_estimate=work)
    store.pass_time(seconds)
    await store.finish(task.lease)


async def test_runs_of_different_sizes_are_timed_for_themselves(store: Storekeeper) -> None:
    await drawn(store, seconds=1, work=100.0)
    await drawn(store, seconds=3, work=120.0)
    await drawn(store, seconds=60, work=10_000.0)
    await store.finished(failure(), cost_estimate=100.0)
    await store.cancel(await store.submit(cost_estimate=100.0))

    found = sorted(await store.database.read(lambda c: paces(c, MODEL)), key=lambda pace: pace.work)

    assert [(pace.work, pace.seconds) for pace in found] == [(110.0, 2.0), (10_000.0, 60.0)]
    assert await store.database.read(lambda c: paces(c, "someone/else")) == []


async def test_a_faster_machine_is_noticed(store: Storekeeper) -> None:
    for _ in range(RECENT):
        await drawn(store, seconds=10, work=100.0)
    for _ in range(RECENT):
        await drawn(store, seconds=1, work=100.0)

    (pace,) = await store.database.read(lambda c: paces(c, MODEL))

    assert 1 < pace.seconds < 10 - 9 * 0.6


async def test_runs_that_end_at_once_are_all_counted(store: Storekeeper) -> None:
    for _ in range(20):
        await store.submit()
    claimed = await store.claim(20)
    store.pass_time(1)

    await asyncio.gather(*(store.finish(task.lease) for task in claimed))

    runs = (await store.database.read(runs_by_model))[MODEL]
    assert (runs.all, runs.successes, runs.average_elapsed) == (20, 20, Decimal("1.0000"))


async def test_telling_looks_at_no_ended_task(store: Storekeeper) -> None:
    await store.finished()
    await store.submit()

    await store.database.write(
        lambda connection: connection.exec_driver_sql(
            "UPDATE tasks SET model = 'no longer known' WHERE exit_code = 0"
        )
    )

    assert (await store.database.read(runs_by_model))[MODEL].all == 2
