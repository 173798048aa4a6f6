"""Turns at fetching, and at holding many bytes: slow projects leave some for others."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from tintype.engine.protocol import LARGEST_IMAGES
from tintype.worker.fetches import LARGE_AT_ONCE, USUAL, Fetches, TooManyBytes
from tintype.worker.turns import Turns

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(30)]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Crowd:
    """Tasks that want turns and keep them."""

    def __init__(self, turns: Turns) -> None:
        self.turns = turns
        self.has: list[int] = []
        self.leaving = asyncio.Event()

    async def one(self, project: int) -> None:
        async with self.turns.turn(project):
            self.has.append(project)
            await self.leaving.wait()


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


@pytest.mark.parametrize(("projects", "each"), [(1, 16), (2, 10), (4, 6), (31, 1)])
async def test_slow_projects_leave_turns_for_the_next(projects: int, each: int) -> None:
    crowd = Crowd(Turns(32))
    async with asyncio.TaskGroup() as group:
        for number in range(32 * projects):
            group.create_task(crowd.one(number % projects))
        await settle()
        counts = {project: crowd.has.count(project) for project in range(projects)}
        group.create_task(crowd.one(-1))
        await settle()
        last = crowd.has[-1]
        crowd.leaving.set()

    assert set(counts.values()) <= {each, each + 1}
    assert last == -1
    assert len(crowd.has) == 32 * projects + 1  # in the end everybody had a turn


async def test_who_gives_up_waiting_takes_no_turn() -> None:
    turns = Turns(2)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(turns.turn(1))
        waiting = asyncio.create_task(Crowd(turns).one(1))
        await settle()
        waiting.cancel()
        await asyncio.wait([waiting])

        async with asyncio.timeout(5), turns.turn(2):
            pass
    async with asyncio.timeout(5), turns.turn(1), turns.turn(2):
        pass


async def test_files_of_many_bytes_are_asked_for_when_it_is_their_turn() -> None:
    fetches = Fetches()
    offered: list[int] = []
    holding, done = asyncio.Semaphore(0), asyncio.Event()

    async def prepare(most: int) -> str:
        offered.append(most)
        if most == USUAL:
            raise TooManyBytes
        return "prepared"

    async def task(project: int) -> None:
        async with fetches.holding(project, prepare) as prepared:
            assert prepared == "prepared"
            holding.release()
            await done.wait()

    async with asyncio.TaskGroup() as group:
        for project in range(8):
            group.create_task(task(project))
        for _ in range(LARGE_AT_ONCE):
            await holding.acquire()
        await settle()
        at_once = offered.count(LARGEST_IMAGES)
        done.set()

    assert at_once == LARGE_AT_ONCE
    assert offered.count(LARGEST_IMAGES) == offered.count(USUAL) == 8
    assert not fetches.full


async def test_a_project_is_full_while_it_has_as_many_tasks_away_as_are_left_for_others() -> None:
    fetches = Fetches(6)

    async def prepare(most: int) -> None:
        pass

    async with AsyncExitStack() as stack:
        full = []
        for project in (1, 1, 1, 2, 2):
            await stack.enter_async_context(fetches.holding(project, prepare))
            full.append(fetches.full)

    assert full == [frozenset(), frozenset(), {1}, {1}, {1, 2}]
    assert not fetches.full
