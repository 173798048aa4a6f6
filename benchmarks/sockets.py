"""How a thousand WebSockets fare that follow running tasks in one process.

    python benchmarks/sockets.py [--sockets 1000] [--tasks 50] [--rate 5] [--seconds 10] [--deaf 50]

A process of its own serves the real application on SQLite and the bus of one process, and tells steps of the
tasks at `rate` a second each, with a preview twice a second, as a worker does. Each socket follows one task;
`deaf` further ones never read. Meanwhile Task/Detail is asked ten times a second. Printed: frames per second,
milliseconds from the worker's telling to the frame's arrival (p50, p99), and for Task/Detail; the server's
CPU; and its memory before, with the sockets open, at the end, and after they left.
"""

import argparse
import asyncio
import contextlib
import json
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from served import (
    DETAIL,
    INPUTS,
    KEY,
    SECRET,
    Connection,
    Process,
    Served,
    Socket,
    allow_many_files,
    free_port,
    milliseconds,
    wait_for,
)

PREVIEW_BYTES = 12_000
PREVIEW_EVERY = 0.5


class Stamped(msgspec.Struct):
    """The part of a frame that says when it was told."""

    message: dict[str, str] | None = None


_stamped = msgspec.json.Decoder(Stamped)


# The server


async def serve(port: int, data: Path, tasks: int, rate: float) -> None:
    """Serves the application, and tells of running tasks, until it is killed. Prints their tokens."""
    import uvicorn

    from tintype.api import connection, keepalive
    from tintype.api.app import create_app
    from tintype.api.following import Following
    from tintype.bootstrap.use_cases import open_service
    from tintype.bootstrap.welcome import first_project
    from tintype.domain.task import Task
    from tintype.settings import Settings, read_settings

    settings: Settings = read_settings(
        overrides={
            "data": data,
            "port": port,
            "bootstrap_key": KEY,
            "bootstrap_secret": SECRET,
            "log_level": "warning",
        }
    )
    async with open_service(settings) as service:
        project = (await first_project(service, settings)).project
        drawn: list[Task] = await start_tasks(service, project, tasks)
        following = Following(service)
        app = create_app(service, following=following, ready=lambda: True)
        config = uvicorn.Config(
            app, access_log=False, log_config=None, lifespan="off", **connection.OPTIONS, **keepalive.OPTIONS
        )
        listener = socket.create_server(("127.0.0.1", port), backlog=2048)
        print(json.dumps([[task.id, task.token] for task in drawn]), flush=True)
        async with following.running(), asyncio.TaskGroup() as group:
            group.create_task(tell_steps(service.bus, drawn, rate))
            await uvicorn.Server(config).serve(sockets=[listener])


async def start_tasks(service, project, count):  # type: ignore[no-untyped-def]
    """So many tasks that are being drawn."""
    from tintype.domain.lifecycle import Status
    from tintype.domain.priority import Turns
    from tintype.service import now
    from tintype.storage import tasks

    model = service.catalogue["black-forest-labs/flux-2-flex-t2i"]
    for _ in range(count):
        await service.submit(project, model, INPUTS)

    def start(connection):  # type: ignore[no-untyped-def]
        claimed = tasks.claim(connection, worker="benchmark", places=count, now=now(), turns=Turns())
        for status in (Status.ASSIGN, Status.START):
            for task in claimed:
                tasks.advance(connection, task.lease, status, now=now())
        return [tasks.note_progress(connection, task.lease, now=now()) for task in claimed]

    return await service.database.write(start)


async def tell_steps(bus, drawn, rate):  # type: ignore[no-untyped-def]
    """Steps of every task, spread over time, each with the moment at which it is told."""
    from tintype.domain.events import progress_event, progress_message
    from tintype.worker.story import tell

    preview, began, number = b"\xff" * PREVIEW_BYTES, time.monotonic(), 0
    pause = 1 / (rate * len(drawn))
    previewed = dict.fromkeys(range(len(drawn)), 0.0)
    while True:
        index, step = number % len(drawn), number // len(drawn) + 1
        due = began + number * pause
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        moment = time.monotonic()
        is_shown = moment - previewed[index] >= PREVIEW_EVERY
        if is_shown:
            previewed[index] = moment
        message = progress_message(
            step=step % 51, steps=50, elapsed=moment - began, preview=preview if is_shown else None
        )
        await tell(bus, progress_event(drawn[index], step, message | {"told": repr(moment)}))
        number += 1


@contextmanager
def served(tasks: int, rate: float) -> Iterator[tuple[Served, list[tuple[int, str]]]]:
    """The server, and the ids and tokens of its tasks."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="tintype-sockets-") as data:
        command = [sys.executable, __file__, "--serve", str(port), data]
        command += ["--tasks", str(tasks), "--rate", str(rate)]
        server = subprocess.Popen(command, stdout=subprocess.PIPE)
        try:
            assert server.stdout is not None
            names = [(int(task_id), str(token)) for task_id, token in json.loads(server.stdout.readline())]
            wait_for(port, server)
            yield Served(port, Process(server.pid)), names
        finally:
            server.kill()
            server.wait(30)


# The clients


async def follow(port: int, token: str, delays: list[float], counting: asyncio.Event) -> None:
    line = await Socket.open(port)
    try:
        line.register(token)
        while (text := await line.next()) is not None:
            arrived = time.monotonic()
            if counting.is_set() and (message := _stamped.decode(text).message) and "told" in message:
                delays.append(arrived - float(message["told"]))
    finally:
        line.close()


async def ignore(port: int, token: str) -> None:
    """Registers, and never reads again."""
    line = socket.socket()
    line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    line.connect(("127.0.0.1", port))
    quiet = await Socket.open(port, line)
    try:
        quiet.register(token)
        quiet.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.Event().wait()
    finally:
        quiet.close()


async def ask(port: int, names: list[tuple[int, str]], times: list[float], counting: asyncio.Event) -> None:
    connection = await Connection.open(port)
    for number in range(10**9):
        begun = time.perf_counter()
        await connection.post(DETAIL, {"taskid": str(names[number % len(names)][0])})
        if counting.is_set():
            times.append(time.perf_counter() - begun)
        await asyncio.sleep(0.1)


async def measure(
    server: Served, names: list[tuple[int, str]], *, sockets: int, deaf: int, seconds: float
) -> None:
    """Opens the sockets, listens for so long, and prints what came of it."""
    memory = [server.process.memory]
    delays: list[float] = []
    asked: list[float] = []
    counting = asyncio.Event()
    crowd = []
    for number in range(sockets):
        token = names[number % len(names)][1]
        crowd.append(asyncio.create_task(follow(server.port, token, delays, counting)))
        if number % 20 == 19:
            await asyncio.sleep(0.05)
    crowd += [asyncio.create_task(ignore(server.port, names[n % len(names)][1])) for n in range(deaf)]
    crowd.append(asyncio.create_task(ask(server.port, names, asked, counting)))
    await asyncio.sleep(3)
    memory.append(server.process.memory)
    cpu, begun = server.process.cpu, time.perf_counter()
    counting.set()
    await asyncio.sleep(seconds)
    counting.clear()
    passed, cpu = time.perf_counter() - begun, server.process.cpu - cpu
    memory.append(server.process.memory)
    if failed := [one for one in crowd if one.done()]:
        raise SystemExit(f"{len(failed)} of {len(crowd)} clients ended: {failed[0].exception()!r}")
    for one in crowd:
        one.cancel()
    await asyncio.gather(*crowd, return_exceptions=True)
    await asyncio.sleep(2)
    memory.append(server.process.memory)
    print(f"{sockets} sockets ({deaf} deaf ones beside them) on {len(names)} tasks")
    print(f"  {len(delays) / passed:8.0f} frames/s")
    print(f"  told → arrived:  {milliseconds(delays)}")
    print(f"  Task/Detail:     {milliseconds(asked)}")
    print(f"  CPU of the server: {100 * cpu / passed:.0f}% of a core")
    before, rest, end, after = memory
    print(
        f"  memory: {before:.0f} MiB before, {rest:.0f} with sockets, {end:.0f} at the end, {after:.0f} after"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sockets", type=int, default=1000)
    parser.add_argument("--tasks", type=int, default=50)
    parser.add_argument("--rate", type=float, default=5.0, help="steps a second of each task")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--deaf", type=int, default=50, help="sockets that never read")
    parser.add_argument("--serve", nargs=2, metavar=("PORT", "DATA"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    allow_many_files(2 * (given.sockets + given.deaf) + 200)
    if given.serve:
        import uvloop

        port, data = given.serve
        with contextlib.suppress(KeyboardInterrupt):
            uvloop.run(serve(int(port), Path(data), given.tasks, given.rate))
        return
    with served(given.tasks, given.rate) as (server, names):
        asyncio.run(measure(server, names, sockets=given.sockets, deaf=given.deaf, seconds=given.seconds))


if __name__ == "__main__":
    main()
