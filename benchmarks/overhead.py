"""What Tintype adds to the engine's own time: a really started server whose engine draws nothing.

    python benchmarks/overhead.py [--seconds 10] [--clients 1 32] [--by socket polling]

Each client sends Run and waits for its task, one after another: over a WebSocket, kept as long as the server
keeps it, until the frame that shows the outputs; or by asking Task/Detail, until that shows them. Printed for
every load: milliseconds from Run to the result seen (p50, p99), tasks per second, and the server's CPU time
per task.
"""

import argparse
import asyncio
import json
import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass

from served import DETAIL, INPUTS, RUN, TERMINAL, Connection, Served, Socket, serving

Draw = Callable[[], Awaitable[None]]
"""Runs one task and returns when its result was seen."""


@dataclass(frozen=True)
class Figures:
    """Of one load: milliseconds from Run to result, tasks per second, milliseconds of CPU per task."""

    by: str
    clients: int
    p50: float
    p99: float
    per_second: float
    cpu: float


async def by_polling(port: int, *, pause: float) -> Draw:
    connection = await Connection.open(port)

    async def draw() -> None:
        run = await connection.post(RUN, INPUTS)
        while True:
            detail = await connection.post(DETAIL, {"taskid": run["taskid"]})
            task = detail["tasklist"][0]
            if task["status"] in TERMINAL:
                break
            await asyncio.sleep(pause)
        demand(task["pexit"] == "0", task["debugerror"])

    return draw


async def by_socket(port: int) -> Draw:
    connection, line = await Connection.open(port), await Socket.open(port)

    async def draw() -> None:
        nonlocal line
        token = str((await connection.post(RUN, INPUTS))["socketaccesstoken"])
        line.register(token, preview=False)
        while (text := await line.next()) is None or b'"terminal":true' not in text:
            if text is None:  # it was closed after the last task, since the Run took long
                line = await Socket.open(port)
                line.register(token, preview=False)
        demand(b'"success":true' in text, text.decode())

    return draw


def demand(succeeded: bool, problem: str) -> None:
    if not succeeded:
        raise SystemExit(f"a task failed: {problem}")


async def measure(served: Served, *, by: str, clients: int, seconds: float) -> Figures:
    """Keeps `clients` clients busy for so long."""
    times: list[float] = []
    pause = 0.001 if clients == 1 else 0.1  # polls cost CPU that the server then lacks
    started, cpu = time.perf_counter(), served.process.cpu

    async def client() -> None:
        draw = await (by_socket(served.port) if by == "socket" else by_polling(served.port, pause=pause))
        while time.perf_counter() - started < seconds:
            begun = time.perf_counter()
            await draw()
            times.append(time.perf_counter() - begun)

    await asyncio.gather(*(client() for _ in range(clients)))
    elapsed, cpu = time.perf_counter() - started, served.process.cpu - cpu
    cuts = statistics.quantiles(times, n=100)
    return Figures(
        by, clients, 1000 * cuts[49], 1000 * cuts[98], len(times) / elapsed, 1000 * cpu / len(times)
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=10.0, help="how long each load lasts")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 32], help="numbers of clients")
    parser.add_argument("--by", nargs="+", choices=["socket", "polling"], default=["socket"])
    parser.add_argument("--json", action="store_true", help="print one JSON object per load")
    arguments = parser.parse_args()
    with serving() as served:
        asyncio.run(measure(served, by="polling", clients=1, seconds=1.0))
        for by in arguments.by:
            for clients in arguments.clients:
                load = asyncio.run(measure(served, by=by, clients=clients, seconds=arguments.seconds))
                print(json.dumps(asdict(load)) if arguments.json else in_words(load), flush=True)


def in_words(load: Figures) -> str:
    return (
        f"{load.clients:4d} clients by {load.by:7s}: Run → result p50 {load.p50:7.1f} ms, "
        f"p99 {load.p99:7.1f} ms, {load.per_second:7.1f} tasks/s, {load.cpu:5.2f} ms of CPU a task"
    )


if __name__ == "__main__":
    main()
