"""A real host process with a real, tiny checkpoint."""

import os
import shutil
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tintype.domain.errors import BadCheckpoint
from tintype.engine.images.metadata import read_metadata
from tintype.engine.process import HostDied, HostProcess, start_host
from tintype.engine.protocol import Drawn, Drop, Dropped, Failed, Progress, Started

from .hosts import until
from .jobs import job

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def host(klein: Path) -> AsyncIterator[HostProcess]:
    async with start_host(weights=str(klein), device="cpu", threads=1) as host:
        yield host


async def test_the_picture_says_what_it_was_drawn_from(host: HostProcess) -> None:
    asked = job(prompt="two cats", steps=3, description={"model": "flux-2-flex"})

    await host.send(asked)
    drawn = (await until(host, Drawn))[-1]

    assert isinstance(drawn, Drawn)
    said = read_metadata(drawn.image)
    assert said["inputs"]["prompt"] == "two cats"
    assert said["checkpoint"] == host.ready.checkpoint == "tiny"
    assert said["versions"] == host.ready.versions
    assert set(said["versions"]) == {"tintype", "torch", "diffusers", "transformers"}


async def test_a_dropped_job_leaves_within_one_step(host: HostProcess) -> None:
    long = job(steps=1000)
    await host.send(long)
    await until(host, Progress, count=3)

    await host.send(Drop(id=long.id))
    afterwards = await until(host, Dropped)

    await host.send(job(steps=1))
    rest = await until(host, Drawn)
    assert afterwards[-1] == Dropped(id=long.id)
    assert not any(event.id == long.id for event in rest if isinstance(event, Progress))


async def test_dropping_what_is_not_there_is_ignored(host: HostProcess) -> None:
    await host.send(Drop(id="nobody"))
    await host.send(job(steps=1))

    assert not any(isinstance(event, Dropped) for event in await until(host, Drawn))


async def test_a_poison_job_fails_and_the_host_draws_on(host: HostProcess) -> None:
    poison = [job(id="odd", width=100), job(id="hot", guidance=1e38)]
    for one in (poison[0], job(id="fine"), poison[1]):
        await host.send(one)

    events = await until(host, Drawn, Failed, count=3)

    failed = {event.id for event in events if isinstance(event, Failed)}
    drawn = {event.id for event in events if isinstance(event, Drawn)}
    assert failed == {"odd", "hot"}
    assert drawn == {"fine"}


async def test_a_short_job_among_long_ones_is_drawn_first(host: HostProcess) -> None:
    for number in range(4):
        await host.send(job(id=f"long-{number}", steps=300, width=256, height=256))
    await until(host, Started, count=4)

    await host.send(job(id="short", steps=2))
    first = (await until(host, Drawn))[-1]

    assert isinstance(first, Drawn)
    assert first.id == "short"
    for number in range(4):
        await host.send(Drop(id=f"long-{number}"))
    await until(host, Dropped, count=4)


async def test_a_host_killed_while_drawing_is_seen_with_its_signal(klein: Path) -> None:
    async with start_host(weights=str(klein), device="cpu", threads=1) as host:
        await host.send(job(steps=1000))
        await until(host, Progress)

        os.kill(host.pid, signal.SIGKILL)

        with pytest.raises(HostDied, match="SIGKILL"):
            await until(host, Drawn)


async def test_a_damaged_checkpoint_is_refused_by_the_whole_host(klein: Path, tmp_path: Path) -> None:
    folder = tmp_path / "broken"
    shutil.copytree(klein, folder)
    (folder / "vae" / "config.json").unlink()

    with pytest.raises(BadCheckpoint, match=r"broken: vae: config\.json is missing"):
        async with start_host(weights=str(folder), device="cpu"):
            pass
