"""Who may be in an engine with whom, and in which order."""

import asyncio

import pytest

from tintype.worker.company import Company

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]


class Room:
    """A company, and who has come in, in order."""

    def __init__(self) -> None:
        self.company = Company()
        self.came: list[str] = []
        self._asking: dict[str, asyncio.Task[None]] = {}

    async def ask(self, *names: str, alone: bool = False) -> None:
        """All come in whose turn it is."""
        for name in names:
            self._asking[name] = asyncio.create_task(self._enter(name, alone))
            await asyncio.sleep(0)
        await self.turn()

    async def cancel(self, name: str) -> None:
        self._asking[name].cancel()
        await self.turn()

    async def leave(self, name: str) -> None:
        self.company.leave(name)
        await self.turn()

    async def turn(self) -> None:
        for _ in range(5):
            await asyncio.sleep(0)

    async def _enter(self, name: str, alone: bool) -> None:
        if await self.company.enter(name, alone=alone):
            self.came.append(name)


@pytest.fixture
def room() -> Room:
    return Room()


async def test_many_are_in_at_once(room: Room) -> None:
    await room.ask("a", "b", "c")

    assert room.came == ["a", "b", "c"]
    assert room.company.is_open


async def test_one_that_wants_to_be_alone_waits_for_the_others_and_keeps_the_later_waiting(
    room: Room,
) -> None:
    await room.ask("a", "b")
    await room.ask("alone", alone=True)
    await room.ask("c")

    await room.leave("a")
    assert room.came == ["a", "b"]
    assert not room.company.is_open

    await room.leave("b")
    assert room.came == ["a", "b", "alone"]
    assert not room.company.is_open

    await room.leave("alone")
    assert room.came == ["a", "b", "alone", "c"]
    assert room.company.is_open


async def test_those_who_want_to_be_alone_come_one_by_one(room: Room) -> None:
    await room.ask("a", "b", alone=True)
    assert room.came == ["a"]

    await room.leave("a")
    assert room.came == ["a", "b"]


@pytest.mark.parametrize("how", ["give up", "cancel"])
async def test_who_waits_no_longer_holds_nobody_up(room: Room, how: str) -> None:
    await room.ask("a")
    await room.ask("alone", alone=True)
    await room.ask("b")

    if how == "cancel":
        await room.cancel("alone")
    else:
        room.company.give_up("alone")
        await room.turn()

    assert room.came == ["a", "b"]
    assert room.company.is_open


async def test_who_gives_up_inside_is_still_there(room: Room) -> None:
    await room.ask("a")
    room.company.give_up("a")
    await room.ask("alone", alone=True)

    assert room.came == ["a"]


async def test_nobody_comes_in_while_it_is_closed_and_it_is_told_when_the_last_has_left(room: Room) -> None:
    await room.ask("a")
    room.company.close()
    await room.ask("b", "c")
    emptied = asyncio.create_task(room.company.until_empty())

    await room.turn()
    assert room.came == ["a"]
    assert not room.company.is_open
    assert not emptied.done()

    await room.leave("a")
    assert room.came == ["a"]
    await emptied

    room.company.open()
    await room.turn()
    assert room.came == ["a", "b", "c"]


async def test_a_new_host_has_nobody_inside(room: Room) -> None:
    await room.ask("a", "b")
    await room.ask("alone", alone=True)

    room.company.open()
    await room.turn()

    assert room.came == ["a", "b", "alone"]
