"""The worker's side, on a real host process with the blank engine."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tintype.domain.errors import BadCheckpoint
from tintype.engine.frames import frame
from tintype.engine.images.metadata import read_inputs
from tintype.engine.process import HostDied, HostNotReady, HostProcess, start_host
from tintype.engine.protocol import Drawn, Event, Failed, Progress, Started, Watch

from .jobs import job

pytestmark = pytest.mark.anyio


@pytest.fixture
async def host() -> AsyncIterator[HostProcess]:
    async with start_host(weights="blank:") as host:
        yield host


async def events_until_drawn(host: HostProcess, count: int) -> list[Event]:
    events: list[Event] = []
    async for event in host.events():
        events.append(event)
        if sum(isinstance(event, Drawn | Failed) for event in events) == count:
            break
    return events


async def test_a_job_goes_in_and_its_picture_comes_out(host: HostProcess) -> None:
    asked = job(prompt="a red kite", width=128, height=96)

    await host.send(asked)
    events = await events_until_drawn(host, 1)

    assert [type(event) for event in events] == [Started, Progress, Drawn]
    drawn = events[-1]
    assert isinstance(drawn, Drawn)
    assert read_inputs(drawn.image)["prompt"] == "a red kite"
    assert (drawn.width, drawn.height) == (128, 96)


async def test_a_stopped_host_finishes_its_jobs_and_then_ends(host: HostProcess) -> None:
    for _ in range(20):
        await host.send(job())

    await host.stop()
    events = [event async for event in host.events()]

    assert sum(isinstance(event, Drawn) for event in events) == 20
    assert not is_alive(host.pid)


async def test_a_killed_host_is_seen_at_once(host: HostProcess) -> None:
    os.kill(host.pid, signal.SIGKILL)

    with pytest.raises(HostDied, match="SIGKILL") as death:
        [event async for event in host.events()]

    assert death.value.status == -signal.SIGKILL
    with pytest.raises(HostDied):
        await host.send(job())


async def test_leaving_the_scope_leaves_no_process_behind() -> None:
    async with start_host(weights="blank:") as host:
        pid = host.pid
        await host.send(job(width=2048, height=2048))

    assert not is_alive(pid)


def test_a_host_ends_when_its_worker_is_gone() -> None:
    command = [sys.executable, "-m", "tintype.engine.host", "--weights", "blank:"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as host:
        assert host.stdin is not None
        assert host.stdout is not None
        assert host.stdout.read(1)

        host.stdin.close()

        assert host.wait(timeout=10) == 0


async def test_a_terminals_interrupt_does_not_reach_the_host(host: HostProcess) -> None:
    assert os.getpgid(host.pid) != os.getpgid(0)

    os.kill(host.pid, signal.SIGINT)
    os.kill(host.pid, signal.SIGTERM)
    await host.send(job())

    assert isinstance((await events_until_drawn(host, 1))[-1], Drawn)


async def test_a_job_that_cannot_be_drawn_fails_and_the_next_one_is_drawn(host: HostProcess) -> None:
    await host.send(job(id="odd", width=100))
    await host.send(job(id="even", width=96))
    events = await events_until_drawn(host, 2)

    reasons = {event.id: event.reason for event in events if isinstance(event, Failed)}
    assert reasons == {"odd": "width 100 is not a multiple of 16 from 64 to 2048"}
    assert any(isinstance(event, Drawn) and event.id == "even" for event in events)


async def test_a_command_that_makes_no_sense_fails_the_job_it_names(host: HostProcess) -> None:
    nonsense = frame(job(id="odd")).replace(b"\xa5steps\x04", b"\xa5steps\xc0")
    host._stdin.write(nonsense)

    events = await events_until_drawn(host, 1)

    assert isinstance(events[-1], Failed)
    assert events[-1].id == "odd"
    assert "steps" in events[-1].reason


async def test_what_the_host_writes_to_stderr_reaches_the_log() -> None:
    lines: list[str] = []

    async with start_host(weights="blank:", on_log=lines.append):
        pass

    assert any("engine host ready" in line for line in lines)


async def test_weights_that_do_not_exist_are_one_clear_error(tmp_path: Path) -> None:
    nowhere = str(tmp_path / "nowhere")

    with pytest.raises(BadCheckpoint, match="nowhere: there is no such folder"):
        async with start_host(weights=nowhere):
            pass


async def test_a_host_that_does_not_get_ready_is_given_up() -> None:
    before = time.monotonic()

    with pytest.raises(HostNotReady):
        async with start_host(weights="blank:", patience=0.001):
            pass

    assert time.monotonic() - before < 10


async def test_equal_inputs_give_equal_bytes(host: HostProcess) -> None:
    for _ in range(2):
        await host.send(job(seed=7))

    drawn = [event for event in await events_until_drawn(host, 2) if isinstance(event, Drawn)]

    assert drawn[0].image == drawn[1].image


async def test_large_reference_pictures_do_not_hold_up_the_event_loop(host: HostProcess) -> None:
    pictures = tuple(os.urandom(6 * 2**20) for _ in range(8))
    turns = 0

    sending = asyncio.create_task(host.send(job(images=pictures)))
    while not sending.done():
        await asyncio.sleep(0)
        turns += 1
    events = await events_until_drawn(host, 1)

    assert isinstance(events[-1], Failed)
    assert events[-1].reason.startswith("Reference picture 1 is not a PNG")
    assert turns > 100


async def test_a_command_is_sent_whole_though_its_sender_is_cancelled(host: HostProcess) -> None:
    sending = asyncio.create_task(host.send(job(id="large", images=(os.urandom(20 * 2**20),))))
    await asyncio.sleep(0)

    sending.cancel()
    await host.send(job(id="next"))
    events = await events_until_drawn(host, 2)

    assert sending.cancelled()
    assert {event.id for event in events if isinstance(event, Drawn | Failed)} == {"large", "next"}


async def test_a_command_that_is_no_job_fails_none(host: HostProcess) -> None:
    nonsense = frame(Watch(id="a", seconds=1.0)).replace(b"\xa7seconds\xcb", b"\xa7seconds\xcf")
    host._stdin.write(nonsense)
    await host.send(job(id="a"))

    events = await events_until_drawn(host, 1)

    assert isinstance(events[-1], Drawn)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_events_can_be_awaited_while_commands_are_sent(host: HostProcess) -> None:
    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(events_until_drawn(host, 1))
        await asyncio.sleep(0)
        await host.send(job())

    assert isinstance(waiting.result()[-1], Drawn)
