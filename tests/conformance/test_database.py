"""What every database does: reads only read, writes are whole, and a restart keeps everything."""

import asyncio
import threading
from collections.abc import Callable

import pytest
from sqlalchemy import Connection, func, insert, select
from sqlalchemy.exc import DBAPIError, IntegrityError

from conformance.storekeeper import Storekeeper
from tintype.domain.errors import BadSetting
from tintype.storage.accounts import ensure_account
from tintype.storage.database import Database, open_database
from tintype.storage.tables import accounts, metadata, shares

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]


def add_share(name: str, rank: float = 1.0) -> Callable[[Connection], object]:
    return lambda connection: connection.execute(insert(shares), {"name": name, "last_rank": rank})


def count_shares(connection: Connection) -> int:
    return connection.execute(select(func.count()).select_from(shares)).scalar_one()


async def share_names(database: Database) -> set[str]:
    return await database.read(lambda connection: set(connection.execute(select(shares.c.name)).scalars()))


async def test_what_a_write_returned_is_there_for_every_reader(database: Database) -> None:
    await database.write(add_share("a"))

    assert await share_names(database) == {"a"}


async def test_a_write_that_raises_leaves_nothing(database: Database) -> None:
    def half(connection: Connection) -> None:
        connection.execute(insert(shares), {"name": "half", "last_rank": 1.0})
        raise LookupError("changed its mind")

    with pytest.raises(LookupError, match="changed its mind"):
        await database.write(half)

    assert await share_names(database) == set()


async def test_a_failing_write_does_not_harm_the_others(database: Database) -> None:
    await database.write(add_share("taken"))

    answers = await asyncio.gather(
        *(database.write(add_share("taken" if number % 3 == 0 else str(number))) for number in range(30)),
        return_exceptions=True,
    )

    assert [isinstance(answer, IntegrityError) for answer in answers] == [n % 3 == 0 for n in range(30)]
    assert await share_names(database) == {"taken", *(str(n) for n in range(30) if n % 3)}


async def test_a_query_cannot_write(database: Database) -> None:
    with pytest.raises(DBAPIError):
        await database.read(add_share("sneaked in"))

    assert await share_names(database) == set()
    await database.write(add_share("openly"))


async def test_a_query_sees_one_moment(database: Database) -> None:
    loop, begun, written = asyncio.get_running_loop(), asyncio.Event(), threading.Event()

    def count_twice(connection: Connection) -> tuple[int, int]:
        before = count_shares(connection)
        loop.call_soon_threadsafe(begun.set)
        if connection.dialect.name == "postgresql":  # runs on the loop itself, which must go on
            connection.exec_driver_sql("SELECT pg_sleep(0.3)")
        else:
            written.wait(10)
        return before, count_shares(connection)

    reading = asyncio.create_task(database.read(count_twice))
    await begun.wait()
    await database.write(add_share("meanwhile"))
    written.set()

    assert await reading == (0, 0)
    assert await database.read(count_shares) == 1


async def test_a_cancelled_writer_harms_nobody(database: Database) -> None:
    waiting = [asyncio.create_task(database.write(add_share(str(number)))) for number in range(10)]
    await asyncio.sleep(0)
    waiting[3].cancel()
    answers = await asyncio.gather(*waiting, return_exceptions=True)

    assert [type(answer) for answer in answers].count(asyncio.CancelledError) == 1
    assert await share_names(database) >= {str(number) for number in range(10) if number != 3}


async def test_a_restart_keeps_everything(database_url: str) -> None:
    async with open_database(database_url) as database:
        store = Storekeeper(database)
        await store.open_project("first")
        done = await store.finished()
        waiting = await store.submit(key="once")

    async with open_database(database_url) as database:
        again = Storekeeper(database)
        again.projects = store.projects

        assert await again.find(done) == done
        assert await again.submit(key="once") == waiting
        assert await again.charged() == done.total_cost


async def test_an_empty_database_is_migrated_to_these_tables(empty_url: str) -> None:
    async with open_database(empty_url) as database:
        for table in metadata.sorted_tables:
            rows = await database.read(
                lambda connection, table=table: connection.execute(select(table)).all()
            )

            assert rows == []


async def test_several_processes_may_start_at_once(empty_url: str) -> None:
    async def start(number: int) -> None:
        async with open_database(empty_url) as database:
            await database.write(add_share(str(number)))

    await asyncio.gather(*(start(number) for number in range(4)))

    async with open_database(empty_url) as database:
        assert await share_names(database) == {"0", "1", "2", "3"}


async def test_two_processes_write_to_one_database(database_url: str) -> None:
    async with open_database(database_url) as one, open_database(database_url) as other:
        await asyncio.gather(
            *((one, other)[number % 2].write(add_share(str(number))) for number in range(20))
        )

        assert await share_names(one) == await share_names(other) == {str(n) for n in range(20)}


async def test_a_default_account_is_made_once(database: Database) -> None:
    def ensure(connection: Connection) -> int:
        return ensure_account(connection, name="default", now=1).id

    ids = await asyncio.gather(*(database.write(ensure) for _ in range(8)))

    assert len(set(ids)) == 1
    count = select(func.count()).select_from(accounts)
    assert await database.read(lambda connection: connection.execute(count).scalar_one()) == 1


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("tintype.db", "is not a URL"),
        ("mysql://localhost/x", "neither sqlite nor postgresql"),
        ("sqlite://", "needs a file"),
        ("sqlite:////proc/nowhere/tintype.db", "/proc/nowhere"),
        ("postgresql://user:hidden@127.0.0.1:1/x", r"user:\*\*\*@127.0.0.1:1/x: .*Connect call failed"),
        ("postgresql://user:hidden@127.0.0.1:1/x?nonsense=1", "nonsense"),
    ],
)
async def test_a_bad_url_gives_one_clear_line(url: str, problem: str) -> None:
    with pytest.raises(BadSetting, match=problem) as refused:
        async with open_database(url):
            pass

    assert str(refused.value).startswith("TINTYPE_DATABASE_URL: ")
    assert "\n" not in str(refused.value)
    assert "hidden" not in str(refused.value)


async def test_a_database_of_a_newer_version_is_refused(empty_url: str) -> None:
    async with open_database(empty_url) as database:
        await database.write(
            lambda connection: connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
        )

    with pytest.raises(BadSetting, match="was not made by this version"):
        async with open_database(empty_url):
            pass
