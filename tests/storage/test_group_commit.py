"""SQLite: writes that wait together share one commit, and a crash loses no answered write."""

import asyncio
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Connection, func, insert, select
from sqlalchemy.exc import IntegrityError, OperationalError

from tintype.storage.database import open_database
from tintype.storage.sqlite import open_sqlite
from tintype.storage.tables import shares

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def add_share(name: str) -> Callable[[Connection], object]:
    return lambda connection: connection.execute(insert(shares), {"name": name, "last_rank": 1.0})


def count(connection: Connection) -> int:
    return connection.execute(select(func.count()).select_from(shares)).scalar_one()


async def test_many_waiting_writes_need_few_commits(tmp_path: Path) -> None:
    async with open_sqlite(tmp_path / "t.db") as database:
        before = database.commits

        await asyncio.gather(*(database.write(add_share(str(number))) for number in range(500)))

        assert await database.read(count) == 500
        assert database.commits - before <= 50


async def test_one_failing_write_of_a_group_fails_alone(tmp_path: Path) -> None:
    async with open_sqlite(tmp_path / "t.db") as database:
        release = threading.Event()
        blocking = asyncio.create_task(database.write(lambda _: release.wait(10)))
        await asyncio.sleep(0)
        before = database.commits
        group = [asyncio.create_task(database.write(add_share(name))) for name in ("a", "a", "b")]
        await asyncio.sleep(0)
        release.set()
        answers = await asyncio.gather(blocking, *group, return_exceptions=True)

        assert [isinstance(answer, IntegrityError) for answer in answers] == [False, False, True, False]
        assert await database.read(count) == 2
        assert database.commits - before <= 2


async def test_a_write_that_broke_its_transaction_says_why_and_harms_no_later_one(tmp_path: Path) -> None:
    def break_it(connection: Connection) -> None:
        connection.exec_driver_sql("ROLLBACK")
        raise OSError("disk is full")

    async with open_sqlite(tmp_path / "t.db") as database:
        with pytest.raises(OSError, match="disk is full"):
            await database.write(break_it)

        await database.write(add_share("afterwards"))
        assert await database.read(count) == 1


class Unexpected(BaseException):
    pass


async def test_a_write_that_raises_the_unexpected_does_not_stop_the_writer(tmp_path: Path) -> None:
    def interrupted(_: Connection) -> None:
        raise Unexpected

    async with open_sqlite(tmp_path / "t.db") as database:
        with pytest.raises(Unexpected):
            await database.write(interrupted)

        await database.write(add_share("afterwards"))
        assert await database.read(count) == 1


async def test_a_file_locked_by_another_process_is_told_and_got_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tintype.storage.sqlite.BUSY_SECONDS", 0.05)
    async with open_sqlite(tmp_path / "t.db") as database:
        with closing(sqlite3.connect(tmp_path / "t.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(OperationalError, match="locked"):
                await database.write(add_share("too early"))
            assert await database.read(count) == 0

        await database.write(add_share("in time"))
        assert await database.read(count) == 1


async def test_writes_that_wait_at_the_close_are_carried_out(tmp_path: Path) -> None:
    async with open_sqlite(tmp_path / "t.db") as database:
        waiting = [asyncio.create_task(database.write(add_share(str(number)))) for number in range(20)]
        await asyncio.sleep(0)
    await asyncio.gather(*waiting)

    async with open_sqlite(tmp_path / "t.db") as database:
        assert await database.read(count) == 20


async def test_a_closed_database_takes_no_writes(tmp_path: Path) -> None:
    async with open_sqlite(tmp_path / "t.db") as database:
        pass

    with pytest.raises(RuntimeError, match="closed"):
        await database.write(add_share("late"))


async def test_threads_end_with_the_database(tmp_path: Path) -> None:
    before = set(threading.enumerate())

    async with open_sqlite(tmp_path / "t.db") as database:
        await database.read(count)
        await database.write(add_share("a"))
        its_own = {thread for thread in threading.enumerate() if thread.name.startswith("sqlite")} - before

    assert its_own
    assert not [thread for thread in its_own if thread.is_alive()]


async def test_every_connection_is_as_safe_as_promised(tmp_path: Path) -> None:
    def pragma(connection: Connection) -> list[object]:
        names = ("journal_mode", "synchronous", "foreign_keys")
        return [connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in names]

    async with open_sqlite(tmp_path / "t.db") as database:
        assert await database.write(pragma) == ["wal", 2, 1]
        assert await database.read(pragma) == ["wal", 2, 1]


CRASHING = """
import asyncio, os, sys
from sqlalchemy import insert
from tintype.storage.database import open_database
from tintype.storage.tables import shares

async def main():
    async with open_database(sys.argv[1]) as database:
        for number in range(20):
            values = {"name": str(number), "last_rank": 1.0}
            await database.write(lambda connection: connection.execute(insert(shares), values))
        print("answered", flush=True)
        os.kill(os.getpid(), 9)

asyncio.run(main())
"""


async def test_an_answered_write_survives_the_death_of_the_process(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 't.db'}"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", CRASHING, url, stdout=subprocess.PIPE
    )
    output, _ = await process.communicate()

    assert (output, process.returncode) == (b"answered\n", -9)
    async with open_database(url) as database:
        assert await database.read(count) == 20
