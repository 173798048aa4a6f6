"""The engine against the stock pipeline, on the same requests: pictures a second, latency, fairness.

    python benchmarks/engine.py --weights src/tintype/models/pictograms --jobs 40 --rounds 2

Sixteen clients send a mixed load (sizes, steps, prompts) at random moments, as Poisson processes do. The
rates are told as multiples of the stock pipeline's capacity, which is measured first: just below it,
where it still keeps up, above it, where ours still does, and far above both, where all that counts is how
fast the line gets shorter. Three sides get the same trace:

- ours: a real engine host with everything a worker has from it, encoded pictures included, which
  holds as many jobs at once as it wants;
- the stock `Flux2KleinPipeline`, one request after another as they came;
- the same, but all waiting requests of the same size and steps as the first in line in one call.

They draw on the same canvases with the same number of threads and take turns, in changing order, so that
whatever else the machine does meets them all. Then: single jobs, all jobs watched, and kills.
"""

import argparse
import asyncio
import json
import os
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kills import kills
from tintype.engine.host import ENVIRONMENT
from tintype.engine.process import HostProcess, start_host
from tintype.engine.protocol import Drawn, Failed, Progress
from traffic import CLIENTS, LONG, Request, trace

OURS, QUEUE, BATCHES = "ours", "one after another", "identical batched"
FIGURES = {
    "pictures_per_second": "1/s",
    "cpu_seconds_per_picture": "s",
    "p50": "s",
    "p95": "s",
    "p50_short": "s",
    "p95_short": "s",
}


@dataclass
class Measured:
    """What one side did with its requests."""

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    previews: int = 0
    latencies: dict[bool, list[float]] = field(default_factory=lambda: {True: [], False: []})
    """Of short jobs, and of others."""

    def add(self, finished: Sequence[tuple[Request, float]], cpu: float) -> None:
        self.seconds += max(done for _, done in finished)
        self.cpu_seconds += cpu
        for request, done in finished:
            self.latencies[request.short].append(done - request.at)

    @property
    def pictures(self) -> int:
        return sum(len(latencies) for latencies in self.latencies.values())

    def summary(self) -> dict[str, float]:
        every = [*self.latencies[True], *self.latencies[False]]
        short = self.latencies[True] or every
        return {
            "pictures_per_second": self.pictures / self.seconds,
            "cpu_seconds_per_picture": self.cpu_seconds / self.pictures,
            "p50": statistics.median(every),
            "p95": percentile(every, 95),
            "p50_short": statistics.median(short),
            "p95_short": percentile(short, 95),
        }


def percentile(values: Sequence[float], percent: int) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


def cpu_seconds(pid: int) -> float:
    """Processor time that a process has used so far (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def ours(
    host: HostProcess, requests: Sequence[Request], into: Measured, *, watched: bool = False
) -> None:
    """Each request is sent when it comes, if the engine has a place; else as soon as it has one."""
    begun, used = time.monotonic(), cpu_seconds(host.pid)
    places = asyncio.Semaphore(host.ready.places)
    under_way = {request.job.id: request for request in requests}
    finished: list[tuple[Request, float]] = []

    async def send() -> None:
        for request in requests:
            await asyncio.sleep(begun + request.at - time.monotonic())
            await places.acquire()
            if watched:
                await host.watch(request.job.id, 600)
            await host.send(request.job)

    async with asyncio.TaskGroup() as group:
        group.create_task(send())
        async for event in host.events():
            if isinstance(event, Failed):
                raise SystemExit(f"{event.id} failed: {event.reason}")
            if isinstance(event, Progress):
                into.previews += event.preview is not None
            if isinstance(event, Drawn):
                finished.append((under_way.pop(event.id), time.monotonic() - begun))
                places.release()
            if not under_way:
                break
    into.add(finished, cpu_seconds(host.pid) - used)


class Comparison:
    """A host and a stock pipeline over the same checkpoint, on the same machine."""

    def __init__(self, host: HostProcess, options: argparse.Namespace) -> None:
        import torch

        from stock import Stock

        self._host, self._options = host, options
        self._stock = Stock(options.weights, options.threads, getattr(torch, options.dtype))
        self.sides: dict[str, Callable[[Sequence[Request], Measured], Awaitable[None]]] = {
            OURS: lambda requests, into: ours(host, requests, into),
            QUEUE: lambda requests, into: self._in_calls(requests, into, together=1),
            BATCHES: lambda requests, into: self._in_calls(requests, into, together=options.together),
        }

    def requests(self, count: int, *, rate: float, seed: int) -> list[Request]:
        return trace(count, rate=rate, guidance=self._options.guidance, seed=seed)

    async def _in_calls(self, requests: Sequence[Request], into: Measured, *, together: int) -> None:
        used = time.process_time()
        finished = self._stock.serve(requests, together=together)
        into.add(finished, time.process_time() - used)

    async def warm_up(self) -> None:
        for side in self.sides.values():
            await side(self.requests(4, rate=100, seed=-1), Measured())

    async def capacity(self) -> float:
        """Pictures a second of the stock pipeline, one after another, of this kind of load."""
        measured = Measured()
        await self.sides[QUEUE](self.requests(8, rate=1e6, seed=-2), measured)
        return measured.summary()["pictures_per_second"]

    async def in_turns(self, names: Sequence[str], traces: Sequence[Sequence[Request]]) -> dict[str, Any]:
        """Every side with every trace, each time in another order."""
        measured = {name: Measured() for name in names}
        for number, requests in enumerate(traces):
            turn = number % len(names)
            for name in (*names[turn:], *names[:turn]):
                await self.sides[name](requests, measured[name])
        return {name: each.summary() for name, each in measured.items()}

    async def single(self) -> dict[str, Any]:
        """One long job at a time: the next one comes when the last one is done."""
        long = [request for request in self.requests(40, rate=1, seed=-3) if request.job.steps in LONG]
        traces = [[Request(0.0, request.job)] for request in long[: 2 * self._options.rounds]]
        return await self.in_turns((OURS, QUEUE), traces)

    async def watched(self, rate: float) -> dict[str, float]:
        """All jobs watched, and the same jobs unwatched, right after each other."""
        shown, hidden = Measured(), Measured()
        for number in range(self._options.rounds):
            requests = self.requests(self._options.jobs, rate=rate, seed=number)
            await ours(self._host, requests, hidden)
            await ours(self._host, requests, shown, watched=True)
        ratio = shown.summary()["pictures_per_second"] / hidden.summary()["pictures_per_second"]
        return {"previews_per_picture": shown.previews / shown.pictures, "pictures_per_second_ratio": ratio}


async def compare(options: argparse.Namespace) -> dict[str, Any]:
    async with start_host(
        weights=options.weights,
        device="cpu",
        dtype=options.dtype,
        threads=options.threads,
        on_log=lambda _: None,
    ) as host:
        comparison = Comparison(host, options)
        await comparison.warm_up()
        capacity = await comparison.capacity()
        result: dict[str, Any] = {
            "conditions": conditions(options, host),
            "capacity": capacity,
            "single": await comparison.single(),
            "loads": {},
        }
        for load in options.loads:
            traces = [
                comparison.requests(options.jobs, rate=load * capacity, seed=number)
                for number in range(options.rounds)
            ]
            result["loads"][load] = await comparison.in_turns((OURS, QUEUE, BATCHES), traces)
        result["watched"] = await comparison.watched(max(options.loads) * capacity)
        result["kill"] = await kills(host, guidance=options.guidance)
    return result


def conditions(options: argparse.Namespace, host: HostProcess) -> dict[str, Any]:
    return {
        "weights": Path(options.weights).name,
        "dtype": options.dtype,
        "versions": host.ready.versions,
        "places": host.ready.places,
        "cores": os.cpu_count(),
        "threads": options.threads or os.cpu_count(),
        "load_average": round(os.getloadavg()[0], 2),
        "clients": CLIENTS,
        "jobs": options.jobs,
        "rounds": options.rounds,
        "guidance": options.guidance,
    }


def report(result: dict[str, Any]) -> None:
    print(" ".join(f"{name}={value}" for name, value in result["conditions"].items()))
    capacity = result["capacity"]
    print(f"the stock pipeline's capacity: {capacity:.3f} pictures/s, one after another")
    table("one long job at a time", result["single"], [name for name in FIGURES if "short" not in name])
    for load, sides in result["loads"].items():
        table(f"{load:g}x that capacity, {load * capacity:.2f} requests/s", sides, list(FIGURES))
    watched, kill = result["watched"], result["kill"]
    print(
        f"\nwith all jobs watched, {watched['previews_per_picture']:.1f} previews a picture and "
        f"{watched['pictures_per_second_ratio']:.2f}x the pictures a second"
    )
    print(
        f"a kill among 8 jobs takes {kill['kill_p50'] * 1e3:.0f} ms (at most "
        f"{kill['kill_max'] * 1e3:.0f} ms); a step then takes {kill['step'] * 1e3:.0f} ms"
    )


def table(title: str, sides: dict[str, dict[str, float]], figures: Sequence[str]) -> None:
    """As Markdown; each other side with how many times better ours is."""
    others = [name for name in sides if name != OURS]
    print(f"\n{title}\n\n| | ours |" + "".join(f" {name} | ratio |" for name in others))
    print("| --- |" + " --- |" * (1 + 2 * len(others)))
    for figure in figures:
        mine, unit = sides[OURS][figure], FIGURES[figure]
        cells = [f"{figure.replace('_', ' ')}, {unit}", f"{mine:.3f}"]
        for theirs in (sides[name][figure] for name in others):
            cells += [f"{theirs:.3f}", f"{mine / theirs if unit == '1/s' else theirs / mine:.2f}×"]
        print(f"| {' | '.join(cells)} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", default="src/tintype/models/pictograms")
    parser.add_argument("--jobs", type=int, default=40, help="requests of a trace")
    parser.add_argument("--rounds", type=int, default=2, help="traces, each given to every side")
    parser.add_argument(
        "--loads",
        type=float,
        nargs="+",
        default=[0.9, 2.0, 6.0],
        help="rates, in multiples of stock's capacity",
    )
    parser.add_argument("--together", type=int, default=8, help="largest call of the batching stock pipeline")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--dtype", default="float32", choices=["float32", "bfloat16"], help="of both")
    parser.add_argument("--guidance", type=float, default=4.5)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    options = parser.parse_args()
    for name, value in ENVIRONMENT.items():
        # The stock pipeline has the machine to itself, with threads that spin.
        if name != "OMP_WAIT_POLICY":
            os.environ.setdefault(name, value)
    os.environ["HF_HUB_OFFLINE"] = "1"
    result = asyncio.run(compare(options))
    print(json.dumps(result, indent=2)) if options.json else report(result)


if __name__ == "__main__":
    main()
