"""What becomes of a task once a worker has it."""

import asyncio
import io

import msgspec
import pytest
from msgspec.structs import replace
from PIL import Image

from tintype.bus import task_subject
from tintype.domain.events import TaskEvent
from tintype.domain.lifecycle import STAGES, Status
from tintype.domain.priority import Priority
from tintype.domain.task import Task
from tintype.engine.protocol import Progress
from worker.workshop import Hosts, Workshop, until

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(240)]

CHECKED = {
    "prompt": "",
    "width": 64,
    "height": 64,
    "steps": 1,
    "guidance": 4.5,
    "seed": 1,
    "outputFormat": "png",
}


async def test_a_task_runs_through_every_stage_in_order(workshop: Workshop) -> None:
    task = await workshop.run()

    async with workshop.events(task) as events, workshop.working():
        ended = await workshop.ends(task)

    assert ended.succeeded
    told = list(dict.fromkeys(event.type for event in events))
    assert told == [stage.value for stage in STAGES[1:]]
    moments = [moment for moment in msgspec.structs.astuple(ended.moments) if moment]
    assert len(moments) == 9
    assert moments == sorted(moments)


@pytest.mark.parametrize(("output_format", "name"), [("png", "0.png"), ("jpeg", "0.jpeg")])
async def test_the_picture_is_what_was_asked_for(workshop: Workshop, output_format: str, name: str) -> None:
    task = await workshop.run(width=128, height=64, outputFormat=output_format)

    async with workshop.working():
        ended = await workshop.ends(task)

    (output,) = ended.outputs
    content = await workshop.picture(task)
    picture = Image.open(io.BytesIO(content))
    assert (picture.size, picture.format) == ((128, 64), output_format.upper())
    assert (output.name, output.content_type, output.size) == (name, f"image/{output_format}", len(content))
    assert output.folder == ended.output_folder


async def test_a_task_shows_its_end_before_it_is_told(workshop: Workshop) -> None:
    async with workshop.working():
        for _ in range(10):
            task = await workshop.run()
            async with workshop.bus.subscribe(task_subject(task.id)) as payloads, asyncio.timeout(30):
                async for payload in payloads:
                    if msgspec.msgpack.decode(payload, type=TaskEvent).terminal:
                        break

            assert (await workshop.look(task)).succeeded


async def test_events_of_a_task_have_strictly_increasing_sequence(workshop: Workshop, slow: str) -> None:
    task = await workshop.run(steps=50)

    async with workshop.events(task) as events, workshop.working(Hosts(slow)):
        await workshop.ends(task)

    sequence = [event.sequence for event in events]
    assert len(set(sequence)) == len(sequence) > 50
    assert sequence == sorted(sequence)


async def test_progress_is_written_at_most_once_a_second_but_told_at_every_step(
    workshop: Workshop, slow: str
) -> None:
    task = await workshop.run(steps=50, width=256, height=256)

    async with workshop.events(task) as events, workshop.working(Hosts(slow)):
        ended = await workshop.ends(task)

    told = [event.message["stepCurrent"] for event in events if event.type == Status.OUTPUT]
    assert told == [str(step) for step in range(1, 51)]
    seconds = (ended.moments.end - ended.moments.start) / 1e6
    assert writes_of_progress(ended) <= 1 + seconds


async def test_steps_are_told_while_it_draws_however_fast_they_follow_each_other(
    workshop: Workshop, slow: str
) -> None:
    task = await workshop.run(steps=50, width=512, height=512)
    hosts = Hosts(slow)

    async with workshop.events(task) as events, workshop.working(hosts):
        await until(lambda: any(event.type == Status.OUTPUT for event in events))
        steps = [said.step for said in hosts.said if isinstance(said, Progress)]
        assert max(steps) < 50
        await workshop.ends(task)


def writes_of_progress(ended: Task) -> int:
    stages_but_output = len(STAGES) - 1
    return ended.sequence - stages_but_output


async def test_tasks_beyond_the_places_wait_their_turn(workshop: Workshop) -> None:
    accepted = [await workshop.run(seed=seed) for seed in range(40)]

    async with workshop.working(Hosts(places=3)):
        ended = [await workshop.ends(task) for task in accepted]

    assert all(task.succeeded and task.attempt == 1 for task in ended)
    assert await workshop.charges() == {task.id: 1 for task in accepted}


async def test_no_more_tasks_are_claimed_than_there_are_places(workshop: Workshop) -> None:
    hosts = Hosts(places=3, frozen=True)
    accepted = [await workshop.run(seed=seed) for seed in range(10)]

    async with workshop.working(hosts):
        await workshop.until(accepted[2], lambda task: task.status is Status.ASSIGN)
        await asyncio.sleep(1.5)  # longer than the worker waits before it looks again
        seen = [(await workshop.look(task)).status for task in accepted]
        hosts.thaw()
        for task in accepted:
            await workshop.ends(task)

    assert seen == [Status.ASSIGN] * 3 + [Status.QUEUE] * 7


async def test_a_task_of_high_priority_need_not_wait_for_a_place(workshop: Workshop) -> None:
    hosts = Hosts(places=4, frozen=True)
    usual = [await workshop.run(seed=seed) for seed in range(5)]

    async with workshop.working(hosts):
        await workshop.until(usual[3], lambda task: task.status is Status.ASSIGN)
        workshop.project = replace(workshop.project, priority=Priority.HIGH)
        urgent = [await workshop.run(seed=seed) for seed in range(2)]
        await workshop.until(urgent[0], lambda task: task.status is Status.ASSIGN)
        await asyncio.sleep(1.5)  # longer than the worker waits before it looks again
        waiting = [(await workshop.look(task)).status for task in (usual[4], urgent[1])]
        hosts.thaw()
        ended = [await workshop.ends(task) for task in (*usual, *urgent)]

    assert waiting == [Status.QUEUE] * 2
    assert all(task.succeeded for task in ended)


async def test_several_workers_share_the_queue_and_no_task(workshop: Workshop) -> None:
    accepted = [await workshop.run(seed=seed) for seed in range(60)]

    async with workshop.working(Hosts(places=2)) as one, workshop.working(Hosts(places=2)) as other:
        ended = [await workshop.ends(task) for task in accepted]

    assert {task.worker for task in ended} == {one.id, other.id}
    assert all(task.attempt == 1 for task in ended)


async def test_a_task_is_claimed_when_it_is_announced(workshop: Workshop) -> None:
    async with workshop.working():
        ended = [await workshop.ends(await workshop.run(seed=seed)) for seed in range(10)]

    waited = [task.moments.accept - task.moments.create for task in ended[1:]]
    assert sum(waited) / len(waited) < 0.4e6, "as if it only looked every second"


async def test_a_lost_wake_up_delays_a_task_by_a_second_at_most(workshop: Workshop) -> None:
    async with workshop.working() as worker:
        await workshop.ends(await workshop.run())
        workshop.service.bus = Deaf()

        task = await workshop.run()

        ended = await workshop.ends(task)
        assert worker.is_ready
        assert ended.moments.accept - ended.moments.create < 3e6


class Deaf:
    """A bus that loses everything."""

    async def publish(self, subject: str, payload: bytes = b"") -> None:
        pass


async def test_a_task_that_the_engine_refuses_ends_as_a_failure_with_its_reason(workshop: Workshop) -> None:
    task = await workshop.submit(**CHECKED | {"width": 65})

    async with workshop.working():
        ended = await workshop.ends(task)

    assert (ended.status, ended.exit_code, ended.outputs) == (Status.POSTPROCESS_END, 1, ())
    assert "width" in ended.debug_error
    assert await workshop.charges() == {}


async def test_a_task_that_breaks_the_worker_ends_alone(workshop: Workshop) -> None:
    broken = await workshop.submit(nothing="of use")
    sound = await workshop.run()

    async with workshop.working():
        ended = await workshop.ends(broken)
        assert (await workshop.ends(sound)).succeeded

    assert (ended.exit_code, ended.lost_attempts) == (1, 3)
    assert "3 times" in ended.debug_error


async def test_a_picture_that_cannot_be_stored_is_a_failure_that_says_so(workshop: Workshop) -> None:
    (workshop.folder / "files" / "outputs").write_text("no folder")
    task = await workshop.run()

    async with workshop.working():
        ended = await workshop.ends(task)

    assert ended.exit_code == 1
    assert ended.debug_error == "The picture could not be stored."
