"""What a worker says to its engine beside jobs: whom to show, and jobs that cannot be said."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from tintype.engine.protocol import LARGEST_IMAGES, Drawn, Failed, Job, Progress
from tintype.worker.engine_host import EngineHost, Heard, Interruption
from worker.workshop import Hosts, until

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(240)]


@pytest.fixture
async def engine() -> AsyncIterator[EngineHost]:
    engine = EngineHost(start=Hosts())
    living = asyncio.create_task(engine.run())
    await until(lambda: engine.is_ready)
    yield engine
    living.cancel()
    with suppress(asyncio.CancelledError):
        await living


async def drawn(engine: EngineHost, job: Job) -> list[Heard]:
    """What is heard of the job until it ends."""
    heard: list[Heard] = []
    await engine.admit(job, heard.append)
    await until(lambda: any(isinstance(one, Drawn | Failed | Interruption) for one in heard))
    return heard


def job(job_id: str, **fields: object) -> Job:
    usual = {"prompt": "a kite", "width": 64, "height": 64, "steps": 4, "guidance": 1.0, "seed": 1}
    return Job(id=job_id, **usual | fields)  # type: ignore[arg-type]


async def test_a_watched_job_is_shown(engine: EngineHost) -> None:
    await engine.watch("shown", 30)

    shown, other = await drawn(engine, job("shown")), await drawn(engine, job("other"))

    assert [one.preview is not None for one in shown if isinstance(one, Progress)] == [True]
    assert [one.preview is not None for one in other if isinstance(one, Progress)] == [False]


async def test_watching_without_a_host_is_harmless() -> None:
    await EngineHost(start=Hosts()).watch("nobody", 30)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"prompt": "\ud800"}, "not well-formed Unicode"),
        ({"images": (bytes(LARGEST_IMAGES), bytes(2**24))}, "exceeds the limit"),
    ],
)
async def test_a_job_that_cannot_be_said_fails_and_the_engine_serves_on(
    engine: EngineHost, fields: dict[str, object], reason: str
) -> None:
    (failed,) = await drawn(engine, job("odd", **fields))

    assert isinstance(failed, Failed)
    assert failed.reason.startswith("The job cannot be given to the engine: ")
    assert reason in failed.reason
    assert isinstance((await drawn(engine, job("next")))[-1], Drawn)
