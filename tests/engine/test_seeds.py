"""The seed contract, on real hosts: a picture is a function of its job, whoever else is drawn."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tintype.engine.process import HostProcess, start_host
from tintype.engine.protocol import Drawn, Drop, Dropped, Failed, Job, Progress

from .drawing import pixels
from .jobs import job

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def host(klein: Path) -> AsyncIterator[HostProcess]:
    async with start_host(weights=str(klein), device="cpu", threads=1) as host:
        yield host


def asked() -> Job:
    return job(prompt="two cats on the moon", width=128, height=96, steps=7, guidance=3.5, seed=4711)


async def draw(host: HostProcess, one: Job, *, among: tuple[Job, ...] = ()) -> Drawn:
    """The job, which joins the others after they have begun, and is done before they are."""
    waited_for = {other.id for other in among}
    for other in among:
        await host.send(other)
    events = host.events()
    while waited_for:
        event = await anext(events)
        if isinstance(event, Progress):
            waited_for.discard(event.id)
    await host.send(one)
    async for event in events:
        assert not isinstance(event, Failed), event.reason
        if isinstance(event, Drawn):
            break
    assert event.id == one.id
    for other in among:
        await host.send(Drop(id=other.id))
    left = {other.id for other in among}
    while left:
        if isinstance(gone := await anext(events), Dropped):
            left.discard(gone.id)
    return event


async def test_alone_it_is_the_same_picture_every_time(host: HostProcess) -> None:
    first, second = await draw(host, asked()), await draw(host, asked())

    assert first.image == second.image


async def test_another_seed_is_another_picture(host: HostProcess) -> None:
    one, other = asked(), job(prompt="two cats on the moon", width=128, height=96, steps=7, seed=4712)

    assert (await draw(host, one)).image != (await draw(host, other)).image


async def test_among_jobs_of_other_sizes_it_is_the_same_picture(host: HostProcess) -> None:
    others = (
        job(width=256, height=256, steps=1000, seed=1, share="x"),
        job(width=96, height=128, steps=1000, seed=2, guidance=1.0, share="y"),
        job(width=64, height=64, steps=900, seed=3, prompt="a dog", weight=3.0),
    )

    assert (await draw(host, asked(), among=others)).image == (await draw(host, asked())).image


async def test_among_jobs_of_its_size_it_is_the_same_picture_but_for_rounding(host: HostProcess) -> None:
    others = tuple(
        job(width=128, height=96, steps=1000, seed=seed, guidance=guidance, prompt=prompt)
        for seed, guidance, prompt in ((1, 1.0, "a dog"), (2, 9.0, ""), (3, 3.5, "two cats on the moon"))
    )

    among = pixels(await draw(host, asked(), among=others))

    assert abs(among - pixels(await draw(host, asked()))).max() <= 1


async def test_another_host_draws_the_same_picture(host: HostProcess, klein: Path) -> None:
    async with start_host(weights=str(klein), device="cpu", threads=1, places=3) as other:
        assert (await draw(other, asked())).image == (await draw(host, asked())).image
