"""How quickly Task/Detail answers many pollers while the store is full of finished tasks.

    python benchmarks/polling.py [--tasks 100000] [--pollers 1 200] [--seconds 10] [--database URL]

Draws one task on a new database (SQLite unless a URL is given), multiplies its rows, and lets the pollers ask
for one random task after another, half by id and half by token. Printed: requests per second, milliseconds
per request (p50, p99), and the server's CPU time per request and memory.
"""

import argparse
import asyncio
import random
import tempfile
import time
from pathlib import Path

from sqlalchemy import Connection as Database
from sqlalchemy import insert, select

from served import DETAIL, INPUTS, RUN, TERMINAL, Connection, Served, allow_many_files, milliseconds, serving
from tintype.domain.tokens import new_file_id, new_token
from tintype.storage.database import open_database
from tintype.storage.tables import files, tasks

GROUP = 5000
"""Rows written at once."""


async def draw_one(served: Served) -> None:
    """A finished task, as any other came about."""
    connection = await Connection.open(served.port)
    ran = await connection.post(RUN, INPUTS)
    while True:
        shown = await connection.post(DETAIL, {"taskid": ran["taskid"]})
        if shown["tasklist"][0]["status"] in TERMINAL:
            break
        await asyncio.sleep(0.05)
    connection.close()


async def multiply(url: str, count: int) -> list[tuple[int, str]]:
    """Makes of the one task that there is so many; their ids and tokens."""
    async with open_database(url) as database:

        def read(connection: Database) -> tuple[dict[str, object], dict[str, object]]:
            task = connection.execute(select(tasks)).mappings().one()
            file = connection.execute(select(files)).mappings().one()
            return dict(task), dict(file)

        task, file = await database.read(read)
        first = int(str(task["id"])) + 1
        names = [(number, new_token()) for number in range(first, first + count)]
        for start in range(0, count, GROUP):
            some = names[start : start + GROUP]

            def write(connection: Database, some: list[tuple[int, str]] = some) -> None:
                folders = [new_file_id() for _ in some]
                new_tasks = [
                    task | {"id": task_id, "token": token, "output_folder": folder}
                    for (task_id, token), folder in zip(some, folders, strict=True)
                ]
                new_files = [
                    file
                    | {"id": new_file_id(), "task_id": task_id, "folder": folder}
                    | {"access_key": new_token(), "object_key": f"outputs/{folder[:2]}/{folder}-0.png"}
                    for (task_id, _), folder in zip(some, folders, strict=True)
                ]
                connection.execute(insert(tasks), new_tasks)
                connection.execute(insert(files), new_files)

            await database.write(write)
    return names


async def poll(served: Served, names: list[tuple[int, str]], *, pollers: int, seconds: float) -> None:
    """Lets the pollers ask for so long, and prints what they saw."""
    times: list[float] = []

    async def poller(number: int) -> None:
        connection = await Connection.open(served.port)
        while time.perf_counter() < end:
            task_id, token = random.choice(names)
            begun = time.perf_counter()
            answer = await connection.post(
                DETAIL, {"taskid": str(task_id)} if number % 2 else {"tasktoken": token}
            )
            times.append(time.perf_counter() - begun)
            if answer["tasklist"][0]["id"] != str(task_id):
                raise SystemExit(f"another task came: {answer}")
        connection.close()

    begun, cpu = time.perf_counter(), served.process.cpu
    end = begun + seconds
    await asyncio.gather(*(poller(number) for number in range(pollers)))
    passed, cpu = time.perf_counter() - begun, served.process.cpu - cpu
    print(
        f"{pollers} pollers on {len(names)} tasks: {len(times) / passed:7.0f} requests/s, "
        f"{milliseconds(times)}, {1e6 * cpu / len(times):5.0f} µs of CPU a request, "
        f"{served.process.memory:.0f} MiB"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--tasks", type=int, default=100_000)
    parser.add_argument("--pollers", type=int, nargs="+", default=[1, 200])
    parser.add_argument("--seconds", type=float, default=10.0, help="how long each load lasts")
    parser.add_argument("--database", default="", help="URL of an empty database; a new SQLite file if empty")
    given = parser.parse_args()
    allow_many_files(4 * max(given.pollers))
    with tempfile.TemporaryDirectory(prefix="tintype-polling-") as folder:
        url = given.database or f"sqlite:///{Path(folder) / 'tintype.db'}"
        with serving(Path(folder), database_url=url) as served:
            asyncio.run(draw_one(served))
        begun = time.perf_counter()
        names = asyncio.run(multiply(url, given.tasks))
        print(f"{len(names)} tasks written in {time.perf_counter() - begun:.1f} s")
        with serving(Path(folder), database_url=url) as served:
            asyncio.run(poll(served, names, pollers=8, seconds=1.0))
            for pollers in given.pollers:
                asyncio.run(poll(served, names, pollers=pollers, seconds=given.seconds))


if __name__ == "__main__":
    main()
