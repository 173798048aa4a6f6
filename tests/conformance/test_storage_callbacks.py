"""The outbox: written with the end of its task, and kept until it is old."""

import pytest
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError

from conformance.outbox import PUBLIC_URL, URL, Outbox, shown
from conformance.storekeeper import MODEL_PAGE, Storekeeper, failure, picture, success
from tintype.domain.callback import Delivery
from tintype.domain.errors import LeaseLost
from tintype.domain.task_object import task_object
from tintype.storage import callbacks, tables

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]


# With the task


async def test_a_callback_waits_for_the_end_of_its_task(store: Storekeeper, outbox: Outbox) -> None:
    task = await store.claimed(**outbox.asked())

    waiting = await outbox.of(task)

    assert (waiting.state, waiting.url, waiting.host) == (Delivery.WAITING, URL, "shop.example:443")
    assert await outbox.due() == []
    assert await outbox.claim(waiting) == []


async def test_a_success_is_told_as_detail_shows_it(store: Storekeeper, outbox: Outbox) -> None:
    task = await store.claimed(**outbox.asked())
    store.pass_time(6)
    done = await store.finish(task.lease, success(picture(0), picture(1)))

    claimed = await outbox.claimed(await outbox.of(done))

    assert shown(claimed) == task_object(await store.find(done), MODEL_PAGE, PUBLIC_URL)
    assert [output["name"] for output in shown(claimed)["outputs"]] == ["0.png", "1.png"]
    assert shown(claimed)["totalcost"] == "0.003510000000"


async def test_a_failure_is_told(store: Storekeeper, outbox: Outbox) -> None:
    done = await store.finished(failure("The engine broke."), **outbox.asked())

    task = shown(await outbox.claimed(await outbox.of(done)))

    assert (task["status"], task["pexit"], task["outputs"]) == ("task_postprocess_end", "1", [])
    assert task["debugerror"] == "The engine broke."


@pytest.mark.parametrize("queued", [True, False])
async def test_a_cancelled_or_killed_task_is_told(store: Storekeeper, outbox: Outbox, queued: bool) -> None:
    task = await (store.submit if queued else store.claimed)(**outbox.asked())

    killed = await store.kill(task)
    await store.kill(task)

    told = shown(await outbox.claimed(await outbox.of(killed)))
    assert (told["status"], told["pexit"]) == ("task_cancel", "")


async def test_a_task_given_up_after_lost_attempts_is_told(store: Storekeeper, outbox: Outbox) -> None:
    task = await store.submit(**outbox.asked())
    for _ in range(3):
        await store.claim()
        store.pass_time(60)
        await store.rescue()

    told = shown(await outbox.claimed(await outbox.of(task)))

    assert told["debugerror"] == "The task was given up: its worker was lost 3 times."


async def test_an_end_that_is_refused_tells_nothing(store: Storekeeper, outbox: Outbox) -> None:
    task = await store.claimed(**outbox.asked())
    await store.hand_back(task.lease)

    with pytest.raises(LeaseLost):
        await store.finish(task.lease)

    assert (await outbox.of(task)).state is Delivery.WAITING


async def test_a_task_without_a_callback_has_none(store: Storekeeper, outbox: Outbox) -> None:
    await store.cancel(await store.submit())
    await store.cancel(await store.submit(callback_url="You can provide a callback URL"))

    assert await outbox.all() == []


async def test_a_run_asked_twice_has_one_callback(store: Storekeeper, outbox: Outbox) -> None:
    for _ in range(2):
        await store.submit(key="once", **outbox.asked())

    assert len(await outbox.all()) == 1


async def test_the_body_stays_as_it_was_at_the_end(store: Storekeeper, outbox: Outbox) -> None:
    done = await store.finished(**outbox.asked())
    first = await outbox.claimed(await outbox.of(done))
    await outbox.record(first, 500, again=5)

    await store.forget_files(done)
    store.pass_time(5)
    second = await outbox.claimed(first.callback)

    assert second.body == first.body
    assert second.callback.message_id == first.callback.message_id
    assert len(shown(second)["outputs"]) == 1


async def test_any_parameters_fit_into_the_body(store: Storekeeper, outbox: Outbox) -> None:
    odd = {"prompt": "\x00 ünï 🎨 \u2028", "deep": [{"a": [None, 1.5, True]}], "": ""}

    callback = await outbox.ended(parameters=odd)

    assert shown(await outbox.claimed(callback))["parameters"] == odd


# Looking


async def test_failed_callbacks_are_listed(store: Storekeeper, outbox: Outbox) -> None:
    good, waiting, dropped = [await outbox.ended() for _ in range(3)]
    fresh = await outbox.ended()
    await outbox.record(await outbox.claimed(good), 200)
    await outbox.record(await outbox.claimed(waiting), 500, again=5)
    await outbox.record(await outbox.claimed(dropped), 500)

    assert [callback.id for callback in await outbox.all(failed=True)] == [dropped.id, waiting.id]
    assert [callback.id for callback in await outbox.all(limit=2)] == [fresh.id, dropped.id]
    assert await outbox.all(task_id=2**70) == []


async def test_a_callback_is_found_by_either_name(store: Storekeeper, outbox: Outbox) -> None:
    callback = await outbox.ended()

    for name in (str(callback.id), callback.message_id):
        assert await store.database.read(lambda c, name=name: callbacks.find(c, name)) == callback
    for name in ("0", str(2**70), "msg_", "", "nobody"):
        assert await store.database.read(lambda c, name=name: callbacks.find(c, name)) is None


# Forgetting


async def test_what_ended_thirty_days_ago_is_forgotten(store: Storekeeper, outbox: Outbox) -> None:
    old, still_due = await outbox.ended(), await outbox.ended()
    await outbox.record(await outbox.claimed(old), 200)
    store.pass_time(30 * 24 * 3600 - 1)
    recent = await outbox.ended()
    await outbox.record(await outbox.claimed(recent), 200)
    assert await outbox.sweep() == 0
    store.pass_time(1)

    assert await outbox.sweep() == 1

    assert [callback.id for callback in await outbox.all()] == [recent.id, still_due.id]
    assert {row.callback_id for row in await store.rows("callback_attempts")} == {recent.id}


# What the table refuses


@pytest.mark.parametrize(
    "values",
    [
        {"state": "sent"},
        {"state": "delivered"},
        {"state": "waiting"},
        {"body": None},
        {"end_time": 1},
        {"tries": 1},
        {"tries": -1},
        {"task_id": 404},
        {"message_id": None},
    ],
)
async def test_an_impossible_callback_is_refused(
    store: Storekeeper, outbox: Outbox, values: dict[str, object]
) -> None:
    await outbox.ended()

    with pytest.raises(IntegrityError):
        await store.database.write(lambda c: c.execute(update(tables.callbacks).values(values)))
