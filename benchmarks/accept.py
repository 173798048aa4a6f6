"""How many tasks per second the store accepts, each safe on disk before its caller hears of it.

    python benchmarks/accept.py [--seconds 5] [--clients 1 8 32] [--url sqlite:///…]

Clients in one asyncio process submit one task after another, on SQLite with synchronous=FULL unless a URL is
given. Printed for every number of clients: tasks per second, milliseconds per task (p50, p99), CPU time
of this process per task, and on SQLite tasks per commit.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection

from tintype.domain.project import Auth, Project
from tintype.domain.task import NewTask, Task
from tintype.domain.tokens import new_token
from tintype.service import now
from tintype.storage import accounts, projects, tasks
from tintype.storage.database import Database, open_database
from tintype.storage.sqlite import SqliteDatabase
from tintype.storage.vault import Vault

INPUTS = {"prompt": "a red kite above the sea", "width": 1024, "height": 1024, "steps": 50, "seed": 123}


def new_task(project: Project) -> NewTask:
    return NewTask(
        token=new_token(),
        project_id=project.id,
        billed_project_id=project.id,
        model="black-forest-labs/flux-2-flex-t2i",
        parameters=INPUTS,
        inputs=INPUTS,
        callback_url="",
        cps=585_000_000,
        share=str(project.id),
        weight=project.weight,
        cost_estimate=1024.0 * 1024 * 50,
    )


def open_project(connection: Connection) -> Project:
    vault, name = Vault(b"b" * 32), f"benchmark {now()}"
    account = accounts.ensure_account(connection, name=name, now=now())
    return projects.create_project(connection, vault, account=account, name=name, auth=Auth.KEY, now=now())[0]


async def measure(database: Database, project: Project, *, clients: int, seconds: float) -> None:
    """Runs the clients for so long and prints a line."""
    waits: list[float] = []
    end = time.perf_counter() + seconds

    async def client() -> None:
        while (begun := time.perf_counter()) < end:
            new = new_task(project)

            def accept(connection: Connection, new: NewTask = new) -> Task:
                return tasks.submit(connection, new, idempotency=None, now=now())

            await database.write(accept)
            waits.append(time.perf_counter() - begun)

    commits = database.commits if isinstance(database, SqliteDatabase) else 0
    begun, computing = time.perf_counter(), time.process_time()
    await asyncio.gather(*(client() for _ in range(clients)))
    passed, computed = time.perf_counter() - begun, time.process_time() - computing
    cuts = statistics.quantiles(waits, n=100)
    line = f"{clients:4} clients: {len(waits) / passed:7.0f} tasks/s"
    line += f"   p50 {1000 * cuts[49]:6.2f} ms   p99 {1000 * cuts[98]:6.2f} ms"
    line += f"   {1e6 * computed / len(waits):4.0f} µs of CPU per task"
    if isinstance(database, SqliteDatabase):
        line += f"   {len(waits) / (database.commits - commits):5.1f} tasks per commit"
    print(line)


async def main(url: str, clients: list[int], seconds: float) -> None:
    async with open_database(url) as database:
        project = await database.write(open_project)
        for number in clients:
            await measure(database, project, clients=number, seconds=seconds)


@contextmanager
def place(url: str) -> Iterator[str]:
    """The URL, or that of a new file."""
    if url:
        yield url
        return
    with tempfile.TemporaryDirectory(prefix="tintype-accept-") as folder:
        yield f"sqlite:///{Path(folder) / 'tintype.db'}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--url", default="")
    given = parser.parse_args()
    with place(given.url) as where:
        asyncio.run(main(where, given.clients, given.seconds))
