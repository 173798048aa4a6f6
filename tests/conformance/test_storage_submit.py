"""Accepting tasks: what is stored, how a key joins two requests, and how a limit holds."""

import asyncio

import pytest
from sqlalchemy.exc import IntegrityError

from conformance.storekeeper import DAWN, Storekeeper
from tintype.domain.errors import IdempotencyConflict, ProjectConcurrencyLimit
from tintype.domain.lifecycle import Status
from tintype.domain.task import Moments
from tintype.storage import idempotency

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]

DAY = 24 * 60 * 60


async def test_an_accepted_task_waits_in_the_queue(store: Storekeeper) -> None:
    task = await store.submit()

    assert task.status is Status.QUEUE
    assert task.moments == Moments(create=DAWN)
    assert task.account_uuid == store.project.account.uuid
    assert (task.attempt, task.worker, task.exit_code, task.total_cost) == (0, None, None, 0)
    assert await store.find(task) == task


async def test_what_was_sent_is_kept_exactly(store: Storekeeper) -> None:
    odd = {"prompt": "ein Drachen 🪁\x00\ud800", "unknown": [1, 2.5, None, {"a": True}], "big": 10**30}

    task = await store.submit(parameters=odd, callback_url="send it to \x00 my desk, please")

    found = await store.find(task)
    assert found.parameters == odd
    assert found.callback_url == "send it to \x00 my desk, please"


async def test_ids_grow_and_tokens_are_unique(store: Storekeeper) -> None:
    first, second = await store.submit(), await store.submit()

    assert second.id > first.id
    with pytest.raises(IntegrityError):
        await store.submit(token=first.token)


async def test_a_task_of_no_project_is_refused(store: Storekeeper) -> None:
    with pytest.raises(IntegrityError):
        await store.submit(project_id=404)


async def test_one_key_accepts_one_task(store: Storekeeper) -> None:
    first = await store.submit(key="abc")

    again = await store.submit(key="abc")

    assert again == first
    assert len(await store.rows("tasks")) == 1


async def test_a_repeated_key_shows_the_task_as_it_is_now(store: Storekeeper) -> None:
    done = await store.finished(key="abc")

    assert await store.submit(key="abc") == done


async def test_one_key_with_another_request_is_a_conflict(store: Storekeeper) -> None:
    await store.submit(key="abc", asked="this")

    with pytest.raises(IdempotencyConflict):
        await store.submit(key="abc", asked="that")


async def test_a_key_is_the_projects_own(store: Storekeeper) -> None:
    other = await store.open_project("second")

    first = await store.submit(key="abc", asked="this")
    second = await store.submit(other, key="abc", asked="that")

    assert first.id != second.id


async def test_a_key_is_remembered_for_a_day(store: Storekeeper) -> None:
    first = await store.submit(key="abc", asked="this")

    store.pass_time(DAY - 1)
    assert await store.submit(key="abc", asked="this") == first
    store.pass_time(1)
    assert (await store.submit(key="abc", asked="that")).id != first.id


async def test_forgotten_keys_are_swept_away(store: Storekeeper) -> None:
    await store.submit(key="old")
    store.pass_time(DAY)
    await store.submit(key="new")

    def sweep() -> object:
        return store.database.write(lambda connection: idempotency.forget_expired(connection, now=store.now))

    assert await sweep() == 1
    assert await sweep() == 0


async def test_any_text_is_a_key(store: Storekeeper) -> None:
    for key in ("k" * 100_000, "\x00", "\ud800", "Schlüssel 🔑"):
        assert await store.submit(key=key) == await store.submit(key=key)


async def test_parallel_requests_with_one_key_give_one_task(store: Storekeeper) -> None:
    tasks = await asyncio.gather(*(store.submit(key="abc") for _ in range(32)))

    assert len({task.id for task in tasks}) == 1
    assert len({task.token for task in tasks}) == 1
    assert len(await store.rows("tasks")) == 1


async def test_parallel_requests_that_differ_give_one_task_and_conflicts(store: Storekeeper) -> None:
    answers = await asyncio.gather(
        *(store.submit(key="abc", asked=str(number)) for number in range(8)), return_exceptions=True
    )

    assert [type(answer) for answer in answers].count(IdempotencyConflict) == 7
    assert len(await store.rows("tasks")) == 1


async def test_a_refused_request_does_not_use_up_its_key(store: Storekeeper) -> None:
    limited = await store.open_project("limited", max_concurrent=0)

    with pytest.raises(ProjectConcurrencyLimit):
        await store.submit(limited, key="abc", asked="this")

    assert await store.submit(limited, key="abc", asked="that", max_concurrent=1)


async def test_a_project_holds_no_more_unfinished_tasks_than_its_limit(store: Storekeeper) -> None:
    limited = await store.open_project("limited", max_concurrent=2)
    await store.submit(limited)
    await store.submit(limited)

    with pytest.raises(ProjectConcurrencyLimit, match="limit of 2"):
        await store.submit(limited)


async def test_the_limit_counts_running_tasks_and_forgets_ended_ones(store: Storekeeper) -> None:
    limited = await store.open_project("limited", max_concurrent=2)
    running = await store.claimed(project=limited)
    waiting = await store.submit(limited)

    await store.cancel(waiting, limited)
    await store.submit(limited)
    with pytest.raises(ProjectConcurrencyLimit):
        await store.submit(limited)
    await store.finish(running.lease)
    await store.submit(limited)


async def test_a_repeated_key_passes_a_limit_that_is_reached(store: Storekeeper) -> None:
    limited = await store.open_project("limited", max_concurrent=1)
    first = await store.submit(limited, key="abc")

    assert await store.submit(limited, key="abc") == first


async def test_a_limit_is_exact_under_parallel_requests(store: Storekeeper) -> None:
    limited = await store.open_project("limited", max_concurrent=5)

    answers = await asyncio.gather(*(store.submit(limited) for _ in range(32)), return_exceptions=True)

    assert [type(answer) for answer in answers].count(ProjectConcurrencyLimit) == 27
    assert len(await store.rows("tasks")) == 5
