"""The engine against the stock pipeline, on the same requests: pictures a second, latency, fairness.

    python benchmarks/engine.py --weights src/tintype/models/pictograms --jobs 48 --concurrency 8

Clients in a closed loop send a fixed, mixed load (sizes, steps, prompts): as many requests are under
way as `--concurrency` says. Ours is a real engine host with everything a worker has from it, encoded
pictures included. Stock is `Flux2KleinPipeline`, called for one request after another in the order they
came, its pictures saved by Pillow. Both draw on the same canvases with the same number of threads, and
take turns, so that whatever else the machine does meets both. Once more all jobs are watched, to see what
their previews cost.
"""

import argparse
import asyncio
import io
import itertools
import json
import os
import random
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tintype.engine.host import ENVIRONMENT
from tintype.engine.process import HostProcess, start_host
from tintype.engine.protocol import Drawn, Drop, Dropped, Failed, Job, Progress, Started

PROMPTS = ("a red kite", "two cats", "a blue car on the moon", "pizza", "a rocket", "a green tree")
SIZES = ((512, 512), (256, 256), (1024, 1024), (768, 768))
LONG, SHORT = (25, 30, 40, 50), (4, 8)
SHORT_SHARE = 0.5


@dataclass
class Measured:
    """One side of the comparison."""

    seconds: float = 0.0
    previews: int = 0
    cpu_seconds: float = 0.0
    latencies: dict[str, list[float]] = field(default_factory=lambda: {"short": [], "long": []})

    @property
    def pictures(self) -> int:
        return sum(len(latencies) for latencies in self.latencies.values())

    def summary(self) -> dict[str, float]:
        every = [*self.latencies["short"], *self.latencies["long"]]
        return {
            "pictures_per_second": self.pictures / self.seconds,
            "cpu_seconds_per_picture": self.cpu_seconds / self.pictures,
            "p50": statistics.median(every),
            "p95": percentile(every, 95),
            "p95_short": percentile(self.latencies["short"], 95) if self.latencies["short"] else 0.0,
        }


def percentile(values: Sequence[float], percent: int) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


def cpu_seconds(pid: int) -> float:
    """Processor time that a process has used so far (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def kind(job: Job) -> str:
    return "short" if job.steps <= max(SHORT) else "long"


def load(count: int, *, guidance: float) -> list[Job]:
    """The same requests on every run."""
    chance = random.Random(0)
    jobs = []
    for number in range(count):
        width, height = chance.choice(SIZES)
        jobs.append(
            Job(
                id=f"job-{number}",
                prompt=chance.choice(PROMPTS),
                width=width,
                height=height,
                steps=chance.choice(SHORT if chance.random() < SHORT_SHARE else LONG),
                guidance=guidance,
                seed=number,
            )
        )
    return jobs


async def ours(
    host: HostProcess, jobs: Sequence[Job], concurrency: int, into: Measured, *, watched: bool = False
) -> None:
    waiting = iter(jobs)
    sent: dict[str, tuple[Job, float]] = {}
    begun, used = time.monotonic(), cpu_seconds(host.pid)
    if watched:
        for job in jobs:
            await host.watch(job.id, 600)
    for job in itertools.islice(waiting, concurrency):
        sent[job.id] = (job, time.monotonic())
        await host.send(job)
    async for event in host.events():
        if isinstance(event, Failed):
            raise SystemExit(f"{event.id} failed: {event.reason}")
        if isinstance(event, Progress):
            into.previews += event.preview is not None
        if not isinstance(event, Drawn):
            continue
        job, since = sent.pop(event.id)
        into.latencies[kind(job)].append(time.monotonic() - since)
        for following in itertools.islice(waiting, 1):
            sent[following.id] = (following, time.monotonic())
            await host.send(following)
        if not sent:
            break
    into.seconds += time.monotonic() - begun
    into.cpu_seconds += cpu_seconds(host.pid) - used


class Stock:
    """The stock pipeline over the same checkpoint."""

    def __init__(self, weights: str, threads: int) -> None:
        import torch
        from diffusers import Flux2KleinPipeline

        from tintype.engine.flux2.load import load_engine

        if threads:
            torch.set_num_threads(threads)
        self._torch = torch
        checkpoint: Any = load_engine(weights, device="cpu", threads=threads, places=0)
        self._canvases = checkpoint._checkpoint.canvases
        self._layers = checkpoint._checkpoint.text._layers
        self._length = checkpoint._checkpoint.text.empty.shape[0]
        self._pipeline = Flux2KleinPipeline.from_pretrained(weights, dtype=torch.float32)
        self._pipeline.set_progress_bar_config(disable=True)

    def draw(self, job: Job) -> bytes:
        canvas = self._canvases.choose(job.width, job.height)
        token = 2 * self._pipeline.vae_scale_factor
        picture = self._pipeline(
            prompt=job.prompt,
            width=canvas.columns * token,
            height=canvas.rows * token,
            num_inference_steps=job.steps,
            guidance_scale=job.guidance,
            generator=self._torch.Generator("cpu").manual_seed(job.seed),
            max_sequence_length=self._length,
            text_encoder_out_layers=self._layers,
        ).images[0]
        stream = io.BytesIO()
        picture.save(stream, "PNG")
        return stream.getvalue()

    def run(self, jobs: Sequence[Job], concurrency: int, into: Measured) -> None:
        begun, used = time.monotonic(), time.process_time()
        waiting = [(job, begun) for job in jobs[:concurrency]]
        following = iter(jobs[concurrency:])
        while waiting:
            job, since = waiting.pop(0)
            self.draw(job)
            now = time.monotonic()
            into.latencies[kind(job)].append(now - since)
            waiting += [(other, now) for other in itertools.islice(following, 1)]
        into.seconds += time.monotonic() - begun
        into.cpu_seconds += time.process_time() - used


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


async def compare(options: argparse.Namespace) -> dict[str, Any]:
    jobs = load(options.jobs, guidance=options.guidance)
    alone = [job for job in jobs if job.steps in LONG][:4]
    mine, theirs, shown = Measured(), Measured(), Measured()
    mine_alone, theirs_alone = Measured(), Measured()
    stock = Stock(options.weights, options.threads)
    async with start_host(
        weights=options.weights, device="cpu", threads=options.threads, on_log=lambda _: None
    ) as host:
        await ours(host, jobs[:2], 1, Measured())
        stock.run(jobs[:2], 1, Measured())
        for _ in range(options.rounds):
            await ours(host, alone, 1, mine_alone)
            stock.run(alone, 1, theirs_alone)
            await ours(host, jobs, options.concurrency, mine)
            stock.run(jobs, options.concurrency, theirs)
            await ours(host, jobs, options.concurrency, shown, watched=True)
        killed = await kills(host, guidance=options.guidance)
    return {
        "conditions": {
            "weights": Path(options.weights).name,
            "versions": host.ready.versions,
            "cores": os.cpu_count(),
            "load_average": os.getloadavg()[0],
            "jobs": options.jobs,
            "concurrency": options.concurrency,
            "rounds": options.rounds,
            "threads": options.threads or os.cpu_count(),
        },
        "alone": {"ours": mine_alone.summary(), "stock": theirs_alone.summary()},
        "mixed": {"ours": mine.summary(), "stock": theirs.summary()},
        "watched": shown.summary() | {"previews_per_picture": shown.previews / shown.pictures},
        "kill": killed,
    }


def report(result: dict[str, Any]) -> None:
    print(" ".join(f"{name}={value}" for name, value in result["conditions"].items()))
    print(f"{'':26}{'ours':>9}{'stock':>9}{'ratio':>9}")
    for load_name in ("alone", "mixed"):
        mine, theirs = result[load_name]["ours"], result[load_name]["stock"]
        for figure, unit in (
            ("pictures_per_second", "1/s"),
            ("cpu_seconds_per_picture", "s"),
            ("p50", "s"),
            ("p95", "s"),
            ("p95_short", "s"),
        ):
            if load_name == "alone" and figure == "p95_short":
                continue
            better = mine[figure] / theirs[figure] if unit == "1/s" else theirs[figure] / mine[figure]
            name = f"{load_name} {figure.replace('_', ' ')}"
            print(f"{name:26}{mine[figure]:9.3f}{theirs[figure]:9.3f}{better:8.2f}x")
    watched, unwatched = result["watched"], result["mixed"]["ours"]
    print(
        f"with all jobs watched, {watched['previews_per_picture']:.1f} previews a picture and "
        f"{watched['pictures_per_second'] / unwatched['pictures_per_second']:.2f}x the pictures a second"
    )
    kill = result["kill"]
    print(
        f"a kill among 8 jobs takes {kill['kill_p50'] * 1e3:.0f} ms (at most "
        f"{kill['kill_max'] * 1e3:.0f} ms); a step then takes {kill['step'] * 1e3:.0f} ms"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", default="src/tintype/models/pictograms")
    parser.add_argument("--jobs", type=int, default=32)
    parser.add_argument("--concurrency", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3, help="turns that each side takes")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--guidance", type=float, default=4.5)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    options = parser.parse_args()
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    os.environ["HF_HUB_OFFLINE"] = "1"
    result = asyncio.run(compare(options))
    print(json.dumps(result, indent=2)) if options.json else report(result)


if __name__ == "__main__":
    main()
