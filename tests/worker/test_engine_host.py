"""Engine hosts die; tasks do not."""

import asyncio

import pytest

from tintype.domain.errors import BadCheckpoint
from tintype.domain.lifecycle import Status
from tintype.engine.protocol import Drawn, Job
from worker.workshop import Hosts, Workshop, until

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(240)]


async def test_a_host_that_dies_hands_its_tasks_back(workshop: Workshop) -> None:
    hosts = Hosts(frozen=True)
    accepted = [await workshop.run(seed=seed) for seed in range(3)]
    async with workshop.working(hosts):
        for task in accepted:
            await workshop.until(task, lambda task: task.status is Status.ASSIGN)

        hosts.frozen = False
        hosts.kill()

        ended = [await workshop.ends(task) for task in accepted]
        assert all(task.succeeded for task in ended)
        assert {(task.attempt, task.lost_attempts) for task in ended} == {(2, 1)}
        assert hosts.started == 2


async def test_a_handed_back_task_is_told_to_be_queued_again(workshop: Workshop) -> None:
    hosts = Hosts(frozen=True)
    task = await workshop.run()
    async with workshop.events(task) as events, workshop.working(hosts):
        await workshop.until(task, lambda task: task.status is Status.ASSIGN)

        hosts.frozen = False
        hosts.kill()
        await workshop.ends(task)

    told = [event.type for event in events]
    assert told.count(Status.QUEUE) == 1
    assert told.count(Status.ASSIGN) == 2
    assert [event.sequence for event in events] == sorted({event.sequence for event in events})


async def test_a_poison_task_ends_as_a_failure_after_three_lost_attempts(workshop: Workshop) -> None:
    hosts = Hosts(frozen=True)
    poison = await workshop.run()
    async with workshop.working(hosts):
        for attempt in (1, 2, 3):
            await workshop.until(poison, held_in(attempt))
            hosts.kill()

        ended = await workshop.ends(poison)

        assert (ended.status, ended.exit_code, ended.lost_attempts) == (Status.POSTPROCESS_END, 1, 3)
        assert "lost 3 times" in ended.debug_error
    assert await workshop.charges() == {}


async def test_poison_tasks_do_not_take_their_neighbours_with_them(
    workshop: Workshop, sickness: None
) -> None:
    seeds = iter(range(6))
    poison, neighbours = [], []
    for end in ("segmentation fault", "abort"):
        poison.append(await workshop.run(prompt=end))
        neighbours += [await workshop.run(seed=next(seeds)) for _ in range(3)]

    async with workshop.working():
        ended = [await workshop.ends(task) for task in poison]
        succeeded = [(await workshop.ends(task)).succeeded for task in neighbours]

    assert all(succeeded)
    assert [(task.exit_code, task.lost_attempts) for task in ended] == [(1, 3), (1, 3)]
    assert await workshop.charges() == {task.id: 1 for task in neighbours}


async def test_a_last_chance_has_the_engine_to_itself(workshop: Workshop) -> None:
    hosts = Hosts(frozen=True)
    async with workshop.working(hosts) as worker:
        (engine,) = worker._engines
        suspect = await workshop.run()
        for number in (1, 2):
            await until(lambda number=number: (hosts.started, hosts.jobs()) == (number, [suspect.id]))
            assert engine.free_places > 0
            hosts.kill()
        await until(lambda: (hosts.started, hosts.jobs()) == (3, [suspect.id]))

        assert engine.free_places == 0
        others = [await workshop.run(seed=seed) for seed in range(2)]
        hosts.thaw()

        assert all([(await workshop.ends(task)).succeeded for task in (suspect, *others)])
    drawn = next(place for place, word in enumerate(hosts.wire) if isinstance(word, Drawn))
    assert [word.id for word in hosts.wire[:drawn] if isinstance(word, Job)] == [f"{suspect.id}.3"]


def held_in(attempt: int):  # type: ignore[no-untyped-def]
    return lambda task: task.status is Status.ASSIGN and task.attempt == attempt


async def test_a_host_that_hangs_is_killed_and_its_tasks_handed_back(workshop: Workshop) -> None:
    hosts = Hosts(frozen=True)
    task = await workshop.run()
    async with workshop.working(hosts, longest_silence=0.5):
        await workshop.until(task, held_in(1))
        hosts.frozen = False

        ended = await workshop.ends(task)

        assert ended.succeeded
        assert (hosts.started, ended.lost_attempts) == (2, 1)


async def test_an_idle_host_may_be_silent(workshop: Workshop) -> None:
    hosts = Hosts()
    async with workshop.working(hosts, longest_silence=0.1):
        assert (await workshop.ends(await workshop.run())).succeeded
        await asyncio.sleep(0.5)

        assert (await workshop.ends(await workshop.run())).succeeded
        assert hosts.started == 1


async def test_a_worker_without_an_engine_claims_nothing_and_lives(workshop: Workshop) -> None:
    hosts = Hosts("/nowhere")
    hosts_first = Hosts()
    starts = iter([hosts_first])
    task = await workshop.run()

    def start():  # type: ignore[no-untyped-def]
        return next(starts, hosts)()

    async with workshop.working(start) as worker:
        assert (await workshop.ends(task)).succeeded
        hosts_first.kill()
        await until(lambda: not worker.is_ready)

        waiting = await workshop.run()
        await asyncio.sleep(1.5)

        assert (await workshop.look(waiting)).status is Status.QUEUE


async def test_weights_that_cannot_be_drawn_with_are_one_clear_error(workshop: Workshop) -> None:
    worker = workshop.worker(Hosts("/nowhere"))

    with pytest.raises(BadCheckpoint, match="/nowhere"):
        await worker.run()

    assert list(workshop.locks.iterdir()) == []
