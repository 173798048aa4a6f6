"""Real hosts that really run out of memory, or lose their device."""

import resource
from pathlib import Path

import psutil
import pytest

from tintype.engine.engine import NO_MEMORY
from tintype.engine.process import HostDied, HostProcess, start_host
from tintype.engine.protocol import Drawn, Event, Failed

from .jobs import job

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(240)]

MIB = 2**20


async def until_ended(host: HostProcess, count: int) -> dict[str, Event]:
    ended: dict[str, Event] = {}
    async for event in host.events():
        if isinstance(event, Drawn | Failed):
            ended[event.id] = event
        if len(ended) == count:
            break
    return ended


async def listen(host: HostProcess, said: list[Event]) -> None:
    async for event in host.events():
        said.append(event)


async def test_a_job_that_the_machine_has_no_memory_for_fails_alone(klein: Path) -> None:
    async with start_host(weights=str(klein), device="cpu", threads=1) as host:
        await host.send(job(id="first"))
        await until_ended(host, 1)
        held = psutil.Process(host.pid).memory_info().vms
        resource.prlimit(host.pid, resource.RLIMIT_AS, (held + 60 * MIB, resource.RLIM_INFINITY))

        await host.send(job(id="large", width=1024, height=2048, steps=1, guidance=1.0))
        for name in ("small", "other"):
            await host.send(job(id=name))
        ended = await until_ended(host, 3)

        assert ended["large"] == Failed(id="large", reason=NO_MEMORY)
        assert isinstance(ended["small"], Drawn)
        assert isinstance(ended["other"], Drawn)


async def test_a_host_that_loses_its_device_ends_instead_of_failing_every_job(
    klein: Path, sickness: None
) -> None:
    async with start_host(weights=str(klein), device="cpu", threads=1) as host:
        await host.send(job(steps=1000))
        await host.send(job(prompt="lost device"))
        said: list[Event] = []

        with pytest.raises(HostDied) as death:
            await listen(host, said)

    assert death.value.status == 1
    assert not any(isinstance(event, Drawn | Failed) for event in said)
    assert any("illegal memory access" in line for line in death.value.last_lines)
