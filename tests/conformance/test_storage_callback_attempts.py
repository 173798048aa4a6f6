"""Sending callbacks: claimed by one at a time, recorded, and sent again."""

import asyncio

import pytest

from conformance.outbox import LEASE, Outbox
from conformance.storekeeper import DAWN, SECOND, Storekeeper
from tintype.domain.callback import Delivery

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]


# Claiming


async def test_a_claimed_callback_is_nobody_elses(outbox: Outbox) -> None:
    callback = await outbox.ended()

    claims = await asyncio.gather(*(outbox.claim(callback) for _ in range(8)))

    assert sum(len(claimed) for claimed in claims) == 1
    assert await outbox.due() == []
    assert len(await outbox.attempts(callback)) == 1


async def test_each_of_many_callbacks_is_claimed_once_by_many(outbox: Outbox) -> None:
    ended = [await outbox.ended() for _ in range(10)]

    claims = await asyncio.gather(*(outbox.claim(*ended[::step]) for step in (1, -1, 1, -1, 1, -1)))

    ids = [one.callback.id for claimed in claims for one in claimed]
    assert sorted(ids) == [callback.id for callback in ended]


async def test_whoever_was_killed_is_followed_by_another(store: Storekeeper, outbox: Outbox) -> None:
    callback = await outbox.ended()
    lost = await outbox.claimed(callback)
    store.pass_time(LEASE - 1)
    assert await outbox.due() == []
    store.pass_time(1)

    assert await outbox.due() == [callback.id]
    found = await outbox.claimed(callback)

    assert (found.body, found.callback.attempts) == (lost.body, 2)
    assert not await outbox.record(lost)
    assert (await outbox.again(callback)).state is Delivery.DUE
    assert await outbox.record(found)


async def test_the_longest_due_come_first(store: Storekeeper, outbox: Outbox) -> None:
    first = await outbox.ended()
    store.pass_time(1)
    later = [await outbox.ended() for _ in range(3)]
    failed = await outbox.claimed(first)
    await outbox.record(failed, 503, again=5)
    store.pass_time(60)

    assert await outbox.due() == [*(callback.id for callback in later), first.id]
    assert await outbox.due(limit=2) == [callback.id for callback in later[:2]]


async def test_busy_hosts_and_projects_are_passed_over(store: Storekeeper, outbox: Outbox) -> None:
    other = await store.open_project("other")
    slow = await outbox.ended(url="http://slow.example/a")
    await outbox.ended(url="http://slow.example:80/b")
    quick = await outbox.ended(url="http://quick.example/", project=other)

    assert await outbox.due(but_hosts={"slow.example:80"}) == [quick.id]
    assert await outbox.due(but_projects={other.id}) == [slow.id, slow.id + 1]


# What became of it


async def test_a_delivered_callback_is_done_with(store: Storekeeper, outbox: Outbox) -> None:
    callback = await outbox.ended()
    claimed = await outbox.claimed(callback)
    store.pass_time(2)

    assert await outbox.record(claimed, 200)

    done = await outbox.again(callback)
    assert (done.state, done.attempts, done.ended) == (Delivery.DELIVERED, 1, DAWN + 2 * SECOND)
    store.pass_time(1_000_000)
    assert await outbox.due() == []
    [attempt] = await outbox.attempts(callback)
    assert (attempt.number, attempt.started, attempt.ended) == (1, DAWN, DAWN + 2 * SECOND)
    assert (attempt.status, attempt.answer, attempt.error) == (200, "said the receiver", "")


async def test_a_failed_callback_is_due_again_later(store: Storekeeper, outbox: Outbox) -> None:
    callback = await outbox.ended()

    await outbox.record(await outbox.claimed(callback), None, again=5)
    store.pass_time(4)
    assert await outbox.due() == []
    store.pass_time(1)

    assert await outbox.due() == [callback.id]
    second = await outbox.claimed(callback)
    assert (second.callback.attempts, second.callback.tries, second.callback.begun) == (2, 2, DAWN)
    assert [attempt.error for attempt in await outbox.attempts(callback)] == ["Nobody is there.", ""]


async def test_a_callback_may_be_dropped(outbox: Outbox) -> None:
    callback = await outbox.ended()

    await outbox.record(await outbox.claimed(callback), 410, again=None)

    assert (await outbox.again(callback)).state is Delivery.DROPPED
    assert await outbox.due() == []


async def test_an_interrupted_attempt_does_not_count(outbox: Outbox) -> None:
    callback = await outbox.ended()
    claimed = await outbox.claimed(callback)

    assert await outbox.hand_back(claimed)

    assert await outbox.due() == [callback.id]
    assert (await outbox.again(callback)).tries == 0
    [attempt] = await outbox.attempts(callback)
    assert attempt.error == "The server stopped before there was an answer."
    assert not await outbox.hand_back(claimed)


async def test_what_has_been_recorded_is_not_handed_back(store: Storekeeper, outbox: Outbox) -> None:
    for status in (200, 500):
        callback = await outbox.ended()
        claimed = await outbox.claimed(callback)
        await outbox.record(claimed, status, again=5)
        recorded = await outbox.again(callback)

        assert not await outbox.hand_back(claimed)

        assert await outbox.again(callback) == recorded
        assert [attempt.status for attempt in await outbox.attempts(callback)] == [status]


# Asking for it again


@pytest.mark.parametrize("status", [200, 500])
async def test_whatever_became_of_it_it_can_be_sent_again(
    store: Storekeeper, outbox: Outbox, status: int
) -> None:
    callback = await outbox.ended()
    first = await outbox.claimed(callback)
    await outbox.record(first, status)
    store.pass_time(99)

    assert await outbox.resend(callback)

    assert await outbox.due() == [callback.id]
    second = await outbox.claimed(callback)
    assert (second.callback.attempts, second.callback.tries) == (2, 1)
    assert second.callback.begun == DAWN + 99 * SECOND
    assert second.body == first.body


async def test_a_callback_under_way_is_not_sent_twice_at_once(store: Storekeeper, outbox: Outbox) -> None:
    callback = await outbox.ended()
    claimed = await outbox.claimed(callback)

    assert await outbox.resend(callback)
    assert await outbox.due() == []
    assert await outbox.record(claimed, 500, again=3600)

    assert await outbox.due() == [callback.id]  # as was asked, and not in an hour


async def test_a_callback_of_an_unfinished_task_is_not_sent(store: Storekeeper, outbox: Outbox) -> None:
    task = await store.submit(**outbox.asked())

    assert not await outbox.resend(await outbox.of(task))
    assert await outbox.due() == []
