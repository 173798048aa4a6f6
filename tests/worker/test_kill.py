"""Killing a task: the engine lets go of it at once, and the worker writes nothing more about it."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import select

from tintype.domain.errors import LeaseLost
from tintype.domain.lifecycle import Status
from tintype.domain.priority import Turns
from tintype.domain.task import Lease, TaskName
from tintype.engine.protocol import Drawn, Drop, Dropped, Progress
from tintype.service import now
from tintype.storage import tasks
from tintype.storage.objects import Objects
from tintype.storage.tables import loose_objects
from tintype.worker import pictures
from tintype.worker.recording import Recording
from tintype.worker.sweeping import Sweeper
from worker.workshop import Hosts, Workshop, until

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(240)]

DRAWN = Drawn(id="1.1", image=b"a picture", content_type="image/png", width=64, height=64, elapsed=1.0)


class Gate(Objects):
    """Stores a picture once it is told to."""

    def __init__(self, objects: Objects) -> None:
        super().__init__(objects._store)
        self.reached, self.opened, self.passed = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def put(self, key: str, content: bytes, content_type: str) -> None:
        self.reached.set()
        await self.opened.wait()
        await super().put(key, content, content_type)
        self.passed.set()


@pytest.fixture
async def gate(workshop: Workshop) -> AsyncIterator[Gate]:
    workshop.objects = gate = Gate(workshop.objects)
    yield gate
    gate.opened.set()


async def kill_in_silence(workshop: Workshop, task_id: int) -> None:
    """The task is killed, and the message about it lost."""
    name = TaskName(kind="id", value=str(task_id))
    await workshop.database.write(lambda c: tasks.kill(c, workshop.project.id, name, now=now()))


async def test_a_killed_task_leaves_the_engine_within_one_step(workshop: Workshop, slow: str) -> None:
    hosts = Hosts(slow)
    task = await workshop.run(width=1024, height=1024, steps=50)
    async with workshop.working(hosts):
        await until(lambda: steps_of(hosts) > 0)
        await hosts.freeze()  # in the middle of a step: it ends as soon as the host may go on
        steps_before = steps_of(hosts)

        killed = await workshop.kill(task)
        await until(lambda: any(isinstance(word, Drop) for word in hosts.wire))
        hosts.thaw()
        await until(lambda: any(isinstance(word, Dropped) for word in hosts.wire))

        assert killed.status is Status.CANCEL
        assert steps_of(hosts) - steps_before <= 1


def steps_of(hosts: Hosts) -> int:
    return sum(isinstance(said, Progress) for said in hosts.said)


async def test_a_killed_task_makes_room_for_the_next(workshop: Workshop) -> None:
    hosts = Hosts(places=1, frozen=True)
    task, following = await workshop.run(), await workshop.run()
    async with workshop.working(hosts):
        await workshop.until(task, lambda task: task.status is Status.ASSIGN)

        await workshop.kill(task)
        await workshop.until(following, lambda task: task.status is Status.ASSIGN)
        hosts.thaw()

        assert (await workshop.ends(following)).succeeded
        assert (await workshop.look(task)).status is Status.CANCEL


async def test_a_kill_whose_message_was_lost_is_learned_from_the_heartbeat(workshop: Workshop) -> None:
    hosts = Hosts(places=1, frozen=True)
    task, following = await workshop.run(), await workshop.run()
    async with workshop.working(hosts):
        await workshop.until(task, lambda task: task.status is Status.ASSIGN)

        await kill_in_silence(workshop, task.id)

        await workshop.until(following, lambda task: task.status is Status.ASSIGN)
        hosts.thaw()
        assert (await workshop.ends(following)).succeeded


async def test_a_queued_task_that_is_killed_never_reaches_a_worker(workshop: Workshop) -> None:
    task = await workshop.run()
    await workshop.kill(task)

    async with workshop.working():
        await workshop.ends(await workshop.run())

    assert (await workshop.look(task)).attempt == 0


async def test_a_worker_that_lost_its_lease_writes_nothing(workshop: Workshop, gate: Gate) -> None:
    task = await workshop.run()
    async with workshop.events(task) as events, workshop.working(heartbeat=60.0):
        await gate.reached.wait()

        await kill_in_silence(workshop, task.id)
        gate.opened.set()
        await workshop.ends(await workshop.run())

        ended = await workshop.look(task)
        assert (ended.status, ended.outputs, ended.exit_code) == (Status.CANCEL, (), None)
        assert [event for event in events if event.terminal] == []
    assert task.id not in await workshop.charges()


async def test_a_picture_that_came_too_late_is_deleted(workshop: Workshop, gate: Gate) -> None:
    task = await workshop.run()
    async with workshop.working():
        await gate.reached.wait()

        await workshop.kill(task)
        gate.opened.set()

        await gate.passed.wait()
        await until(lambda: workshop.stored() == [])
    assert await loose_keys(workshop) == []


class Torn(Objects):
    """Stores a picture, and then the attempt dies, as if its worker were killed."""

    def __init__(self, objects: Objects) -> None:
        super().__init__(objects._store)
        self.keys: list[str] = []

    async def put(self, key: str, content: bytes, content_type: str) -> None:
        await super().put(key, content, content_type)
        self.keys.append(key)
        raise asyncio.CancelledError


async def loose_keys(workshop: Workshop) -> list[str]:
    keys = select(loose_objects.c.object_key)
    return await workshop.database.read(lambda c: list(c.execute(keys).scalars()))


async def leased(workshop: Workshop) -> Lease:
    """A worker's hold on a new task."""
    await workshop.run()
    [task] = await workshop.database.write(
        lambda c: tasks.claim(c, worker="w1", places=1, now=now(), turns=Turns())
    )
    return task.lease


async def test_a_picture_whose_worker_died_before_the_end_is_found_and_deleted(workshop: Workshop) -> None:
    objects = Torn(workshop.objects)
    lease = await leased(workshop)
    recording = Recording(workshop.database, lease)
    with pytest.raises(asyncio.CancelledError):
        await pictures.store(objects, recording, DRAWN, now=now())

    assert len(workshop.stored()) == 1
    assert await loose_keys(workshop) == objects.keys != []

    sweeper = Sweeper(database=workshop.database, objects=objects, longest_way=-1)
    assert await sweeper.sweep() == 1
    assert (workshop.stored(), await loose_keys(workshop)) == ([], [])


async def test_a_finished_task_has_taken_its_picture(workshop: Workshop) -> None:
    task = await workshop.run()
    async with workshop.working():
        assert (await workshop.ends(task)).succeeded

    assert len(workshop.stored()) == 1
    assert await loose_keys(workshop) == []


async def test_a_picture_that_the_task_has_taken_is_not_discarded(workshop: Workshop) -> None:
    """The answer to the commit was lost, and the next try found the lease over."""
    recording = Recording(workshop.database, await leased(workshop))
    outcome = await pictures.store(workshop.objects, recording, DRAWN, now=now())
    await recording.finish([], outcome)
    with pytest.raises(LeaseLost):
        await recording.finish([], outcome)

    await pictures.discard(workshop.objects, recording, outcome)

    assert len(workshop.stored()) == 1


async def test_killing_again_and_again_is_harmless(workshop: Workshop) -> None:
    hosts = Hosts(frozen=True)
    task = await workshop.run()
    async with workshop.working(hosts):
        await workshop.until(task, lambda task: task.status is Status.ASSIGN)

        killed = [await workshop.kill(task) for _ in range(3)]
        hosts.thaw()

        assert {task.status for task in killed} == {Status.CANCEL}
        assert (await workshop.ends(await workshop.run())).succeeded
