"""The end of a task: one transaction of status, outputs, texts and charge; won once, refused afterwards."""

import asyncio

import pytest
from sqlalchemy.exc import IntegrityError

from conformance.storekeeper import CPS, DAWN, SECOND, Storekeeper, failure, picture, success
from tintype.domain.errors import LeaseLost, TaskNotTerminal, UnknownTaskOfFiles
from tintype.domain.lifecycle import Status
from tintype.domain.task import FAILURE, SUCCESS, Outcome, TaskName
from tintype.storage import files, ledger, loose, tasks

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]


async def test_a_finished_task_has_its_outputs_and_its_charge(store: Storekeeper) -> None:
    task = await store.claimed()
    drawn = picture()
    store.pass_time(6)

    done = await store.finish(task.lease, success(drawn))

    assert (done.status, done.exit_code) == (Status.POSTPROCESS_END, SUCCESS)
    assert (done.outputs, done.output_folder) == ((drawn,), drawn.folder)
    assert done.total_cost == 6 * CPS == await store.charged(store.project)
    assert done.sequence > task.sequence
    assert await store.find(done) == done


async def test_moments_of_skipped_endings_are_set_at_the_finish(store: Storekeeper) -> None:
    task = await store.claimed()
    store.pass_time(6)

    moments = (await store.finish(task.lease)).moments

    assert {moments.end, moments.postprocess_start, moments.postprocess_end} == {DAWN + 6 * SECOND}
    assert (moments.assign, moments.start, moments.cancel) == (0, 0, 0)


async def test_a_drawing_ends_at_the_latest_when_its_picture_is_being_stored(store: Storekeeper) -> None:
    task = await store.claimed()
    store.pass_time(2)
    await store.advance(task.lease, Status.POSTPROCESS_START)
    store.pass_time(4)

    done = await store.finish(task.lease)

    assert done.moments.end == done.moments.postprocess_start == DAWN + 2 * SECOND
    assert done.total_cost == 2 * CPS


async def test_time_after_the_end_of_the_drawing_is_free(store: Storekeeper) -> None:
    task = await store.claimed()
    store.pass_time(2.00004)
    await store.advance(task.lease, Status.END)
    store.pass_time(60)

    done = await store.finish(task.lease)

    assert done.total_cost == 2 * CPS
    assert done.moments.postprocess_end - done.moments.end == 60 * SECOND


async def test_the_charge_goes_to_the_project_that_pays(store: Storekeeper) -> None:
    payer = await store.open_project("payer")
    task = await store.claimed(billed_project_id=payer.id)
    store.pass_time(1)

    await store.finish(task.lease)

    assert await store.charged(payer) == CPS
    assert await store.charged(store.project) == 0


async def test_a_failure_costs_nothing_and_says_why(store: Storekeeper) -> None:
    task = await store.claimed()
    store.pass_time(6)

    done = await store.finish(task.lease, failure("The engine ran out of memory."))

    assert (done.status, done.exit_code, done.succeeded) == (Status.POSTPROCESS_END, FAILURE, False)
    assert (done.total_cost, done.outputs, done.output_folder) == (0, (), "0")
    assert done.debug_error == "The engine ran out of memory."
    assert await store.charged() == 0


async def test_a_failure_with_outputs_is_a_contradiction(store: Storekeeper) -> None:
    task = await store.claimed()

    with pytest.raises(ValueError, match="no outputs"):
        await store.finish(task.lease, Outcome(exit_code=FAILURE, outputs=(picture(),)))

    assert await store.find(task) == task


async def test_the_reason_comes_before_earlier_notes(store: Storekeeper) -> None:
    task = await store.claimed(debug_error="callbackUrl is not a URL.")

    done = await store.finish(task.lease, failure("Request moderated (stage: prompt)"))

    assert done.debug_error == "Request moderated (stage: prompt)\ncallbackUrl is not a URL."


async def test_texts_that_no_database_holds_are_kept_readable(store: Storekeeper) -> None:
    task = await store.claimed()

    done = await store.finish(task.lease, failure("bad \x00 byte, half \ud800 a sign"))

    assert done.debug_error == "bad \ufffd byte, half ? a sign"
    assert await store.find(task) == done


async def test_a_free_model_makes_no_ledger_row(store: Storekeeper) -> None:
    task = await store.claimed(cps=0)
    store.pass_time(1)

    assert (await store.finish(task.lease)).succeeded
    assert await store.rows("ledger") == []


async def test_several_outputs_keep_their_order(store: Storekeeper) -> None:
    drawn = tuple(picture(number, folder="f" * 32) for number in range(12))

    done = await store.finished(success(*drawn))

    assert (await store.find(done)).outputs == drawn


async def test_parallel_finishes_win_once(store: Storekeeper) -> None:
    task = await store.claimed()
    store.pass_time(1)

    answers = await asyncio.gather(*(store.finish(task.lease) for _ in range(8)), return_exceptions=True)

    assert [type(answer) for answer in answers].count(LeaseLost) == 7
    assert len(await store.rows("files")) == len(await store.rows("ledger")) == 1


async def test_finish_kill_and_rescue_at_once_end_the_task_once(store: Storekeeper) -> None:
    tasks = [await store.claimed() for _ in range(10)]
    store.pass_time(20)

    for task in tasks:
        await asyncio.gather(
            store.finish(task.lease), store.kill(task), store.hand_back(task.lease), return_exceptions=True
        )
        found = await store.find(task)

        assert found.status in (Status.POSTPROCESS_END, Status.CANCEL)
        assert bool(found.outputs) == bool(found.total_cost) == found.succeeded
    succeeded = [row for row in await store.rows("tasks") if row.exit_code == SUCCESS]
    assert len(await store.rows("ledger")) == len(await store.rows("files")) == len(succeeded)


async def test_a_failing_finish_writes_nothing(store: Storekeeper) -> None:
    first = await store.finished()
    task = await store.claimed()

    with pytest.raises(IntegrityError):
        await store.finish(task.lease, success(first.outputs[0]))

    assert await store.find(task) == task
    assert await store.charged() == first.total_cost


async def test_a_finished_task_has_taken_its_objects(store: Storekeeper) -> None:
    await store.finished(success(picture(0), picture(1)))

    assert await store.rows("loose_objects") == []


async def test_an_object_that_was_given_up_or_never_announced_ends_no_task(store: Storekeeper) -> None:
    task = await store.claimed()
    doomed, unheard_of = picture(), picture()
    await store.database.write(lambda c: loose.doom(c, [doomed.object_key], now=store.now))

    with pytest.raises(LookupError, match="1 of 1 objects"):
        await store.finish(task.lease, success(doomed))
    with pytest.raises(LookupError, match="1 of 1 objects"):
        await store.database.write(lambda c: tasks.finish(c, task.lease, success(unheard_of), now=store.now))

    assert await store.find(task) == task
    assert await store.rows("files") == []


async def test_a_task_cannot_be_charged_twice(store: Storekeeper) -> None:
    task = await store.claimed()
    store.pass_time(1)
    await store.finish(task.lease)

    with pytest.raises(IntegrityError):
        await store.database.write(
            lambda connection: ledger.record_run(
                connection, task_id=task.id, project_id=store.project.id, cost=1, paid=None, now=store.now
            )
        )


# Deleting files


async def test_forgotten_files_are_found_no_more(store: Storekeeper) -> None:
    done = await store.finished()
    [output] = done.outputs
    assert await by_access_key(store, output.access_key) == output

    keys = await store.forget_files(done)

    assert keys == [output.object_key]
    assert await by_access_key(store, output.access_key) is None
    found = await store.find(done)
    assert (found.outputs, found.output_folder, found.parameters) == ((), "0", done.parameters)
    assert (found.status, found.total_cost) == (done.status, done.total_cost)


async def test_inputs_are_forgotten_with_the_outputs(store: Storekeeper) -> None:
    done = await store.finished()
    sent = picture()
    await store.database.write(
        lambda connection: files.add(
            connection, sent, project_id=store.project.id, role="input", task_id=done.id
        )
    )
    assert (await store.find(done)).outputs == done.outputs

    keys = await store.forget_files(done)

    assert set(keys) == {sent.object_key, done.outputs[0].object_key}


async def test_forgetting_may_be_repeated_to_complete_it(store: Storekeeper) -> None:
    done = await store.finished()

    assert await store.forget_files(done) == await store.forget_files(done)


async def test_a_cancelled_task_has_no_files_to_forget(store: Storekeeper) -> None:
    task = await store.cancel(await store.submit())

    assert await store.forget_files(task) == []


async def test_files_of_an_unfinished_task_stay(store: Storekeeper) -> None:
    waiting = await store.submit()
    with pytest.raises(TaskNotTerminal):
        await store.forget_files(waiting)

    [running] = await store.claim()
    with pytest.raises(TaskNotTerminal):
        await store.forget_files(running)


async def test_files_of_another_projects_task_are_unknown(store: Storekeeper) -> None:
    other = await store.open_project("second")
    done = await store.finished()

    with pytest.raises(UnknownTaskOfFiles):
        await store.forget_files(done, other)
    with pytest.raises(UnknownTaskOfFiles):
        await store.forget_files(TaskName(kind="token", value="x"))
    assert (await store.find(done)).outputs == done.outputs


async def test_a_weird_access_key_is_nobodys(store: Storekeeper) -> None:
    for access_key in ("", "test", "\x00", "../../etc", "ключ", "a" * 100_000):
        assert await by_access_key(store, access_key) is None


async def by_access_key(store: Storekeeper, access_key: str) -> object:
    return await store.database.read(lambda connection: files.by_access_key(connection, access_key))
