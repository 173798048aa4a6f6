"""Holding tasks: claims never overlap, writes are fenced, and what a worker drops is picked up."""

import asyncio
from typing import Any

import pytest

from conformance.storekeeper import DAWN, SECOND, Storekeeper, failure
from tintype.domain.errors import LeaseLost
from tintype.domain.lifecycle import LOST_ATTEMPTS_ALLOWED, MOVES, STAGES, Status
from tintype.domain.task import FAILURE, Lease, Moments
from tintype.storage import tasks, workers

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]

DRAWING = STAGES[2:-1]
"""The stages that a worker leads a claimed task through before its end."""


async def test_a_claimed_task_is_leased_to_the_worker(store: Storekeeper) -> None:
    task = await store.submit()
    store.pass_time(3)

    [claimed] = await store.claim(worker="w7")

    assert claimed.status is Status.ACCEPT
    assert claimed.lease == Lease(task_id=task.id, worker="w7", attempt=1)
    assert claimed.moments == Moments(create=DAWN, accept=DAWN + 3 * SECOND)
    assert await store.find(task) == claimed


async def test_a_worker_gets_as_many_tasks_as_it_has_places(store: Storekeeper) -> None:
    for _ in range(5):
        await store.submit()

    assert [len(await store.claim(places)) for places in (0, 2, -1, 2, 2, 2)] == [0, 2, 0, 2, 1, 0]


async def test_tasks_of_projects_that_have_enough_are_passed_over(store: Storekeeper) -> None:
    other = await store.open_project("other")
    for project in (store.project, other) * 2:
        await store.submit(project=project)

    claimed = await store.claim(9, but=[store.project.id])
    rest = await store.claim(9)

    assert [task.project_id for task in claimed] == [other.id] * 2
    assert [task.project_id for task in rest] == [store.project.id] * 2


async def test_parallel_claims_never_overlap(store: Storekeeper) -> None:
    await asyncio.gather(*(store.submit() for _ in range(60)))

    claims = await asyncio.gather(*(store.claim(4, worker=f"w{number}") for number in range(20)))

    ids = [task.id for claim in claims for task in claim]
    assert len(ids) == len(set(ids))
    rest = await store.claim(60)
    assert len(ids) + len(rest) == 60
    assert all(len(claim) <= 4 for claim in claims)


async def test_a_worker_leads_its_task_through_every_stage(store: Storekeeper) -> None:
    task = await store.claimed()
    seen = []
    for status in DRAWING:
        store.pass_time(1)
        moved = await store.advance(task.lease, status)
        seen.append((moved.status, moved.sequence))

    assert [status for status, _ in seen] == list(DRAWING)
    assert [sequence for _, sequence in seen] == sorted({sequence for _, sequence in seen})
    reached = [moved.moments.preprocess_start, moved.moments.assign, moved.moments.postprocess_start]
    assert reached == [DAWN + seconds * SECOND for seconds in (1, 3, 7)]


async def test_a_task_moves_only_where_the_lifecycle_allows(store: Storekeeper) -> None:
    for here in DRAWING:
        task = await store.claimed()
        await store.advance(task.lease, here)

        for there in DRAWING:
            if there not in MOVES[here]:
                with pytest.raises(LeaseLost):
                    await store.advance(task.lease, there)
        assert (await store.find(task)).status is here


async def test_advancing_is_not_the_way_to_claim_or_end(store: Storekeeper) -> None:
    task = await store.claimed()

    for status in set(Status) - set(DRAWING):
        with pytest.raises(ValueError, match=status):
            await store.advance(task.lease, status)


async def test_progress_may_be_noted_again_and_again(store: Storekeeper) -> None:
    task = await store.claimed()
    await store.advance(task.lease, Status.START)

    notes = [await store.note_progress(task.lease) for _ in range(3)]

    assert {note.status for note in notes} == {Status.OUTPUT}
    assert len({note.sequence for note in notes}) == 3
    await store.advance(task.lease, Status.END)
    with pytest.raises(LeaseLost):
        await store.note_progress(task.lease)


async def test_a_write_needs_the_whole_lease(store: Storekeeper) -> None:
    task = await store.claimed()
    forged: list[dict[str, Any]] = [
        {"worker": "w2"},
        {"worker": ""},
        {"attempt": 0},
        {"attempt": 2},
        {"task_id": 404},
    ]

    for fields in forged:
        lease = Lease(**{"task_id": task.id, "worker": "w1", "attempt": 1, **fields})
        for write in (
            store.advance(lease, Status.START),
            store.note_progress(lease),
            store.finish(lease, failure()),
            store.hand_back(lease),
        ):
            with pytest.raises(LeaseLost):
                await write
    assert await store.find(task) == task


async def test_a_dead_workers_late_writes_are_refused(store: Storekeeper) -> None:
    late = (await store.claimed(worker="w1")).lease
    await store.hand_back(late, lost=True)
    [task] = await store.claim(worker="w1")

    for write in (store.advance(late, Status.START), store.finish(late), store.hand_back(late)):
        with pytest.raises(LeaseLost):
            await write

    assert await store.find(task) == task
    assert (await store.finish(task.lease)).succeeded


async def test_a_task_handed_back_is_as_if_never_claimed(store: Storekeeper) -> None:
    before = await store.submit()
    [task] = await store.claim()
    started = await store.advance(task.lease, Status.START)
    store.pass_time(5)

    after = await store.hand_back(task.lease)

    assert (after.status, after.moments, after.worker) == (Status.QUEUE, before.moments, None)
    assert (after.rank, after.lost_attempts, after.attempt) == (before.rank, 0, 1)
    assert after.sequence > started.sequence


async def test_a_drained_worker_may_hand_back_any_number_of_times(store: Storekeeper) -> None:
    await store.submit()
    for _ in range(2 * LOST_ATTEMPTS_ALLOWED):
        [task] = await store.claim()
        handed_back = await store.hand_back(task.lease)

    assert handed_back.status is Status.QUEUE


async def test_after_three_lost_attempts_a_task_ends_as_a_failure(store: Storekeeper) -> None:
    task = await store.submit(debug_error="callbackUrl is a sentence.")
    for _ in range(LOST_ATTEMPTS_ALLOWED):
        store.pass_time(1)
        [task] = await store.claim()
        task = await store.hand_back(task.lease, lost=True)

    assert (task.status, task.exit_code) == (Status.POSTPROCESS_END, FAILURE)
    assert task.debug_error == (
        "The task was given up: its worker was lost 3 times.\ncallbackUrl is a sentence."
    )
    assert (task.total_cost, task.outputs, await store.charged()) == (0, (), 0)
    assert task.moments.accept <= task.moments.end == task.moments.postprocess_end


async def test_the_tasks_of_a_silent_worker_are_rescued(store: Storekeeper) -> None:
    await store.register("dead")
    await store.register("alive")
    lost = await store.claimed(worker="dead")
    kept = await store.claimed(worker="alive")
    store.pass_time(20)
    await store.heartbeat("alive", kept.lease)

    [rescued] = await store.rescue(silence=15)

    assert (rescued.id, rescued.status, rescued.lost_attempts) == (lost.id, Status.QUEUE, 1)
    assert await store.find(kept) == kept


async def test_nobody_is_rescued_from_a_worker_that_lives(store: Storekeeper) -> None:
    await store.register("w1")
    await store.claimed()
    store.pass_time(14)

    assert await store.rescue(silence=15) == []


async def test_a_rescue_may_run_twice_and_at_once(store: Storekeeper) -> None:
    await store.register("dead")
    for _ in range(10):
        await store.claimed(worker="dead")
    store.pass_time(20)

    rescues = await asyncio.gather(*(store.rescue() for _ in range(8)))

    assert sum(len(rescued) for rescued in rescues) == 10
    assert await store.rescue() == []
    assert {row.lost_attempts for row in await store.rows("tasks")} == {1}


async def test_the_tasks_of_an_unknown_worker_are_rescued_after_the_same_silence(
    store: Storekeeper,
) -> None:
    task = await store.claimed(worker="stranger")

    store.pass_time(14)
    assert await store.rescue(silence=15) == []
    store.pass_time(1)
    assert [rescued.id for rescued in await store.rescue(silence=15)] == [task.id]


async def test_a_retired_worker_is_forgotten(store: Storekeeper) -> None:
    await store.register("w1")

    await store.database.write(lambda connection: workers.retire(connection, "w1"))

    assert await store.rows("workers") == []


async def test_rescuing_forgets_silent_workers(store: Storekeeper) -> None:
    await store.register("dead")
    await store.claimed(worker="dead")
    store.pass_time(20)
    await store.register("alive")

    await store.rescue()

    assert [row.id for row in await store.rows("workers")] == ["alive"]


async def test_a_heartbeat_tells_a_worker_what_it_has_lost(store: Storekeeper) -> None:
    await store.register("w1")
    kept, killed, rescued = [await store.claimed() for _ in range(3)]
    await store.kill(killed)
    await store.hand_back(rescued.lease, lost=True)
    [again] = await store.claim(worker="w1")

    lost = await store.heartbeat("w1", kept.lease, killed.lease, rescued.lease, again.lease)

    assert lost == [killed.lease, rescued.lease]


async def test_a_heartbeat_of_a_forgotten_worker_makes_it_known_again(store: Storekeeper) -> None:
    await store.heartbeat("w1")

    assert [row.id for row in await store.rows("workers")] == ["w1"]


async def test_moments_never_go_back_when_the_clock_does(store: Storekeeper) -> None:
    await store.submit()
    store.pass_time(-3600)
    [task] = await store.claim()
    moved = await store.advance(task.lease, Status.START)
    done = await store.finish(task.lease)

    assert {moved.moments.accept, moved.moments.start, done.moments.end} == {DAWN}


async def test_unfinished_tasks_are_counted(store: Storekeeper) -> None:
    await store.finished()
    await store.claimed()
    await store.submit()
    await store.submit()

    read = store.database.read
    assert await read(tasks.queue_depth) == 2
    assert await read(tasks.count_unfinished) == 3
    assert await read(tasks.unfinished_by_status) == {Status.QUEUE: 2, Status.ACCEPT: 1}
    assert await read(lambda connection: tasks.count_unfinished(connection, 404)) == 0
