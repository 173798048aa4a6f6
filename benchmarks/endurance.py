"""Whether a server's memory stays where it is through an hour's worth of traffic and more.

    python benchmarks/endurance.py [--tasks 20000] [--clients 24] [--every 1000]

A started server whose engine draws nothing. Clients run one task after another, each in one of these ways,
by lot: followed over a WebSocket, polled, cancelled at once, killed at once, left alone, or with a WebSocket
that is dropped in the middle; every fourth task has a callback, which this program receives. Printed now and
then: tasks so far, tasks per second, callbacks received, the memory of the server and of its engine, and the
server's open files. At the end: how the tasks ended, which must add up, and how much memory grew over the
second half.
"""

import argparse
import asyncio
import collections
import random
import subprocess
import time
from pathlib import Path

from served import (
    DETAIL,
    INPUTS,
    RUN,
    TERMINAL,
    Connection,
    Process,
    Served,
    Socket,
    allow_many_files,
    free_port,
    serving,
)

CALLBACK_EVERY = 4
PAUSE = 0.05
"""Seconds between two polls."""


class Traffic:
    """The clients, and what they have seen."""

    def __init__(self, served: Served, *, tasks: int, callback_url: str) -> None:
        self._served = served
        self._left = tasks
        self._callback_url = callback_url
        self.begun = 0
        self.ends: collections.Counter[str] = collections.Counter()
        self._ways = (self.follow, self.poll, self.cancel, self.kill, self.leave, self.drop)

    async def client(self) -> None:
        """Runs one task after another until there are enough."""
        connection = await Connection.open(self._served.port)
        while self._left > 0:
            self._left -= 1
            self.begun += 1
            inputs = dict(INPUTS)
            if self.begun % CALLBACK_EVERY == 0:
                inputs["callbackUrl"] = self._callback_url
            ran = await connection.post(RUN, inputs)
            if not ran["result"]:
                raise SystemExit(f"a Run was refused: {ran['errors']}")
            way = random.choice(self._ways)
            await way(connection, str(ran["socketaccesstoken"]))
        connection.close()

    async def follow(self, _: Connection, token: str) -> None:
        line = await Socket.open(self._served.port)
        line.register(token)
        while (text := await line.next()) is not None:
            if b'"terminal":true' in text:
                self.ends["followed to the end"] += 1
        line.close()

    async def poll(self, connection: Connection, token: str) -> None:
        while True:
            task = (await connection.post(DETAIL, {"tasktoken": token}))["tasklist"][0]
            if task["status"] in TERMINAL:
                break
            await asyncio.sleep(PAUSE)
        self.ends["polled to the end"] += 1

    async def cancel(self, connection: Connection, token: str) -> None:
        answer = await connection.post("/v1/Task/Cancel", {"tasktoken": token})
        self.ends["cancelled" if answer["result"] else "too late to cancel"] += 1

    async def kill(self, connection: Connection, token: str) -> None:
        answer = await connection.post("/v1/Task/Kill", {"tasktoken": token})
        self.ends["killed" if answer["result"] else "too late to kill"] += 1

    async def leave(self, _: Connection, token: str) -> None:
        self.ends["left alone"] += 1

    async def drop(self, _: Connection, token: str) -> None:
        line = await Socket.open(self._served.port)
        line.register(token)
        await line.next()
        line.close()
        self.ends["dropped the socket"] += 1


class Receiver:
    """Takes callbacks, and confirms every one."""

    def __init__(self) -> None:
        self.received = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
                await reader.readexactly(length)
                writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
                self.received += 1
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


def engine_of(served: Served) -> Process | None:
    """The server's engine host."""
    listing = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True)
    rows = [line.split() for line in listing.stdout.splitlines()]
    children = [int(pid) for pid, parent in rows if int(parent) == served.process.pid]
    return Process(children[0]) if children else None


def open_files(process: Process) -> str:
    folder = Path(f"/proc/{process.pid}/fd")
    return str(len(list(folder.iterdir()))) if folder.exists() else "?"


async def endure(
    served: Served, receiver: Receiver, port: int, *, tasks: int, clients: int, every: int
) -> None:
    """Runs all of it and prints as it goes."""
    callbacks = await asyncio.start_server(receiver, "127.0.0.1", port)
    engine = engine_of(served)
    traffic = Traffic(served, tasks=tasks, callback_url=f"http://127.0.0.1:{port}/done")
    crowd = [asyncio.create_task(traffic.client()) for _ in range(clients)]
    everybody = asyncio.gather(*crowd)
    begun, memory, goal = time.perf_counter(), {0: served.process.memory}, every
    while not everybody.done():
        await asyncio.wait([everybody], timeout=0.5)
        if traffic.begun >= goal or everybody.done():
            goal += every
            memory[traffic.begun] = served.process.memory
            print(
                f"{traffic.begun:7d} tasks  {traffic.begun / (time.perf_counter() - begun):6.1f} tasks/s  "
                f"{receiver.received:6d} callbacks  server {memory[traffic.begun]:6.1f} MiB  "
                f"engine {engine.memory if engine else 0:6.1f} MiB  {open_files(served.process)} files",
                flush=True,
            )
    everybody.result()
    await unfinished(served)
    print("  ".join(f"{count} {what}" for what, count in sorted(traffic.ends.items())))
    expected = tasks // CALLBACK_EVERY
    for _ in range(600):
        if receiver.received >= expected:
            break
        await asyncio.sleep(0.1)
    print(f"{receiver.received} callbacks of {expected}")
    if sum(traffic.ends.values()) != tasks or receiver.received < expected:
        raise SystemExit("tasks or callbacks are missing")
    half = min(memory, key=lambda count: abs(count - tasks / 2))
    growth = served.process.memory - memory[half]
    print(f"over the second half the server grew by {growth:+.1f} MiB")
    callbacks.close()


async def unfinished(served: Served) -> None:
    """Returns once no task is left that has not ended."""
    connection = await Connection.open(served.port)
    while True:
        newest = await connection.post("/v1/Task/List", {"limit": "100"})
        if all(task["status"] in TERMINAL for task in newest["tasklist"]):
            return connection.close()
        await asyncio.sleep(0.2)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--tasks", type=int, default=20_000)
    parser.add_argument("--clients", type=int, default=24)
    parser.add_argument("--every", type=int, default=1000, help="tasks between two lines")
    given = parser.parse_args()
    allow_many_files(4096)
    with serving(callbacks_allow_private="yes") as served:
        asyncio.run(
            endure(
                served,
                Receiver(),
                free_port(),
                tasks=given.tasks,
                clients=given.clients,
                every=given.every,
            )
        )


if __name__ == "__main__":
    main()
