"""Hosts that hold too much memory are replaced, and no task loses anything by it."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

from tintype.engine.protocol import Drawn, Failed, Job
from tintype.worker.alongside import alongside
from tintype.worker.engine_host import EngineHost, Heard, Interruption
from tintype.worker.recycling import MemoryLimits
from worker.workshop import Hosts, Workshop, until

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(240), pytest.mark.usefixtures("sickness")]

MIB = 2**20
ROOM = 150
"""MiB by which hosts may grow here."""


def job(job_id: str, prompt: str = "a kite") -> Job:
    return Job(id=job_id, prompt=prompt, width=64, height=64, steps=4, guidance=1.0, seed=1)


def memory_of(hosts: Hosts) -> int:
    return int(psutil.Process(hosts.living[0]).memory_info().rss)


def limit(engine: EngineHost, hosts: Hosts, *, pause: float = 0.0) -> None:
    """From now on, the engine's hosts may have as much more than the present one has now."""
    engine._limits = MemoryLimits(main=memory_of(hosts) + ROOM * MIB, pause=pause)


@asynccontextmanager
async def serving(hosts: Hosts) -> AsyncIterator[EngineHost]:
    engine = EngineHost(start=hosts)
    async with alongside(engine.run()):
        await until(lambda: engine.is_ready)
        yield engine


async def draw(engine: EngineHost, job: Job) -> Heard:
    heard: list[Heard] = []
    await engine.admit(job, heard.append)
    await until(lambda: heard and isinstance(heard[-1], Drawn | Failed | Interruption))
    return heard[-1]


async def test_a_host_that_grows_is_replaced_and_tasks_do_not_notice(workshop: Workshop) -> None:
    hosts = Hosts()
    drawn = []
    async with workshop.working(hosts) as worker:
        (engine,) = worker._engines
        await until(lambda: worker.is_ready)
        first = hosts.living
        limit(engine, hosts)

        while hosts.started < 2:
            tasks = [await workshop.run(prompt="leak 20", seed=seed) for seed in range(3)]
            drawn += [await workshop.ends(task) for task in tasks]
        drawn.append(await workshop.ends(await workshop.run()))

        assert not psutil.pid_exists(first[0])
        assert memory_of(hosts) < engine._limits.main
    assert all(task.succeeded for task in drawn)
    assert {(task.attempt, task.lost_attempts) for task in drawn} == {(1, 0)}


async def test_what_is_drawn_is_drawn_to_its_end_and_what_comes_waits_for_the_next_host(
    tmp_path: Path,
) -> None:
    hosts, go = Hosts(), tmp_path / "go"
    async with serving(hosts) as engine, asyncio.TaskGroup() as drawing:
        limit(engine, hosts)
        held = drawing.create_task(draw(engine, job("1.1", f"leak {ROOM + 50}, waits for {go}")))
        number = 10
        while engine.free_places:  # the host looks at itself between steps, once a second
            number += 1
            drawing.create_task(draw(engine, job(f"{number}.1")))
            await asyncio.sleep(0.05)

        late = drawing.create_task(draw(engine, job("2.1")))
        await asyncio.sleep(0.1)
        assert hosts.started == 1
        assert 2 not in hosts.jobs()
        assert not held.done()
        go.touch()

        assert isinstance(await held, Drawn)
        assert isinstance(await late, Drawn)
        assert (hosts.started, hosts.jobs()) == (2, [2])


async def test_a_limit_that_is_too_low_does_not_keep_the_engine_from_drawing() -> None:
    hosts = Hosts()
    async with serving(hosts) as engine:
        limit(engine, hosts, pause=3600)
        engine._limits = dataclasses.replace(engine._limits, main=1)
        for number in range(40):
            await draw(engine, job(f"{number}.1", "leak 5"))
            if hosts.started == 2:
                break
            await asyncio.sleep(0.05)
        assert hosts.started == 2

        began = asyncio.get_running_loop().time()
        while asyncio.get_running_loop().time() - began < 2.5:
            assert isinstance(await draw(engine, job(f"{began}.1", "leak 5")), Drawn)

        assert hosts.started == 2


async def test_a_host_that_dies_while_it_is_drained_is_replaced_all_the_same(tmp_path: Path) -> None:
    hosts = Hosts()
    async with serving(hosts) as engine, asyncio.TaskGroup() as drawing:
        limit(engine, hosts)
        prompt = f"leak {ROOM + 50}, waits for {tmp_path / 'never'}"
        held = drawing.create_task(draw(engine, job("1.1", prompt)))
        number = 10
        while engine.free_places:
            number += 1
            drawing.create_task(draw(engine, job(f"{number}.1")))
            await asyncio.sleep(0.05)

        hosts.kill()

        assert await held is Interruption.ENGINE_LOST
        await until(lambda: hosts.started == 2)
        assert isinstance(await draw(engine, job("2.1")), Drawn)


@pytest.mark.parametrize(
    ("limits", "exceeded"),
    [
        (MemoryLimits(), False),
        (MemoryLimits(main=100), True),
        (MemoryLimits(main=101), False),
        (MemoryLimits(device=7), True),
        (MemoryLimits(main=1000, device=8), False),
    ],
)
def test_main_memory_and_the_devices_have_their_own_limits(limits: MemoryLimits, exceeded: bool) -> None:
    from tintype.engine.protocol import Memory

    assert limits.exceeded_by(Memory(main=101, device=8)) is exceeded
