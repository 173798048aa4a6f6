"""Reference pictures through a real host process."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tintype.engine.images.metadata import read_metadata
from tintype.engine.process import HostProcess, start_host
from tintype.engine.protocol import Drawn, Drop, Dropped, Failed, Progress

from .hosts import until
from .jobs import job
from .references import reference

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def host(klein: Path) -> AsyncIterator[HostProcess]:
    async with start_host(weights=str(klein), device="cpu", threads=1) as host:
        yield host


async def test_pictures_go_in_with_a_job_and_its_picture_names_them(host: HostProcess) -> None:
    asked = job(images=(reference(64, 64), reference(96, 64)))

    await host.send(asked)
    drawn = (await until(host, Drawn, Failed))[-1]

    assert host.ready.edits
    assert isinstance(drawn, Drawn)
    assert len(read_metadata(drawn.image)["references"]) == 2


async def test_an_unreadable_picture_fails_its_job_and_no_other(host: HostProcess) -> None:
    await host.send(job(id="odd", images=(reference(64, 64), reference(64, 64)[:-90])))
    await host.send(job(id="fine", images=(reference(64, 64),)))
    await host.send(job(id="plain"))

    events = await until(host, Drawn, Failed, count=3)

    (failed,) = (event for event in events if isinstance(event, Failed))
    assert failed.id == "odd"
    assert failed.reason.startswith("Reference picture 2 is damaged")
    assert {event.id for event in events if isinstance(event, Drawn)} == {"fine", "plain"}


async def test_a_job_dropped_while_its_pictures_are_read_is_never_drawn(host: HostProcess) -> None:
    large = tuple(reference(2400, 2000, seed) for seed in range(4))
    await host.send(job(id="large", images=large))
    await host.send(Drop(id="large"))
    await host.send(job(id="next", images=(reference(64, 64),)))

    events = await until(host, Drawn)

    assert Dropped(id="large") in events
    assert [event.id for event in events if isinstance(event, Drawn | Progress)][-1] == "next"
    assert not any(isinstance(event, Progress) and event.id == "large" for event in events)


async def test_a_host_that_is_told_to_stop_still_draws_what_it_is_preparing(klein: Path) -> None:
    async with start_host(weights=str(klein), device="cpu", threads=1) as host:
        await host.send(job(images=(reference(900, 900),), steps=1))

        await host.stop()
        events = [event async for event in host.events()]

    assert isinstance(events[-1], Drawn)


async def test_a_checkpoint_that_cannot_edit_says_so(tmp_path: Path, klein: Path) -> None:
    folder = tmp_path / "sketches"
    shutil.copytree(klein, folder)
    with (folder / "tintype.toml").open("a") as sidecar:
        sidecar.write("[edit]\nreferences = 0\n")

    async with start_host(weights=str(folder), device="cpu", threads=1) as host:
        await host.send(job(images=(reference(64, 64),)))
        failed = (await until(host, Drawn, Failed))[-1]

    assert not host.ready.edits
    assert isinstance(failed, Failed)
    assert failed.reason == ("This checkpoint cannot edit pictures: sketches draws from the prompt alone.")
