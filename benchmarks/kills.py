"""How long a drop takes among other jobs, compared with a step."""

import asyncio
import itertools
import random
import statistics
import time
from collections.abc import Sequence

from tintype.engine.process import HostProcess
from tintype.engine.protocol import Drop, Dropped, Job, Progress, Started


async def kills(host: HostProcess, *, guidance: float, times: int = 10) -> dict[str, float]:
    """How long a drop takes among seven other jobs, and what a step takes then, in seconds."""
    delays: list[float] = []
    steps: list[float] = []
    for number in range(times):
        jobs = [
            Job(
                id=f"kill-{number}-{index}",
                prompt="a red kite",
                width=512,
                height=512,
                steps=1000,
                guidance=guidance,
                seed=index,
            )
            for index in range(8)
        ]
        for job in jobs:
            await host.send(job)
        steps += await pace(host, jobs)
        await asyncio.sleep(random.Random(number).uniform(0, statistics.median(steps)))
        asked = time.monotonic()
        for job in jobs:
            await host.send(Drop(id=job.id))
        delays += [(await dropped(host, jobs)) - asked]
    return {
        "step": statistics.median(steps),
        "kill_p50": statistics.median(delays),
        "kill_max": max(delays),
    }


async def pace(host: HostProcess, jobs: Sequence[Job]) -> list[float]:
    """Seconds of some steps, once all jobs take part in them."""
    started, seen = 0, list[float]()
    async for event in host.events():
        started += isinstance(event, Started)
        if started == len(jobs) and isinstance(event, Progress) and event.id == jobs[0].id:
            seen.append(time.monotonic())
        if len(seen) == 6:
            break
    return [after - before for before, after in itertools.pairwise(seen)]


async def dropped(host: HostProcess, jobs: Sequence[Job]) -> float:
    """When the first of the jobs had left; waits for all of them."""
    left: dict[str, float] = {}
    async for event in host.events():
        if isinstance(event, Dropped):
            left[event.id] = time.monotonic()
        if len(left) == len(jobs):
            break
    return left[jobs[0].id]
