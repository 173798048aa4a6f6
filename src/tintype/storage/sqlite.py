"""The database in one file: one thread writes, in groups that share a commit; others read meanwhile."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Engine, QueuePool, create_engine, event
from sqlalchemy.exc import DBAPIError

from tintype.domain.errors import BadSetting
from tintype.storage.migrations import migrate

T = TypeVar("T")
Waiting = tuple[Callable[[Connection], Any], "asyncio.Future[Any]"]
Answer = tuple["asyncio.Future[Any]", Any, BaseException | None]

BUSY_SECONDS = 30
READERS = 4
LARGEST_GROUP = 256

log = logging.getLogger(__name__)


class SqliteDatabase:
    """Writes wait in a queue for the writer thread; reads run in a small pool of threads."""

    def __init__(self, *, writer: Engine, reader: Engine, loop: asyncio.AbstractEventLoop) -> None:
        self.commits = 0
        """How many commits there were; waiting writes share one."""
        self._writer = writer
        self._reader = reader
        self._loop = loop
        self._waiting: SimpleQueue[Waiting | None] = SimpleQueue()
        self._pool = ThreadPoolExecutor(READERS, thread_name_prefix="sqlite-reader")
        self._thread = Thread(target=self._write_groups, name="sqlite-writer", daemon=True)
        self._thread.start()
        self._closed = False

    async def read(self, query: Callable[[Connection], T]) -> T:
        """See `Database.read`."""
        return await self._loop.run_in_executor(self._pool, self._query, query)

    async def write(self, change: Callable[[Connection], T]) -> T:
        """See `Database.write`."""
        if self._closed:
            raise RuntimeError("the database is closed")
        future: asyncio.Future[T] = self._loop.create_future()
        self._waiting.put((change, future))
        return await future

    def close(self) -> None:
        """Carries out the writes that wait, then ends both kinds of threads."""
        self._closed = True
        self._waiting.put(None)
        self._thread.join()
        self._pool.shutdown()

    def _query(self, query: Callable[[Connection], T]) -> T:
        with self._reader.connect() as connection, connection.begin():
            return query(connection)

    def _write_groups(self) -> None:
        with self._writer.connect() as connection:
            while group := self._next_group():
                answers = self._carry_out(connection, group)
                self._loop.call_soon_threadsafe(_deliver, answers)

    def _next_group(self) -> list[Waiting]:
        """Every write that waits, after waiting for the first; empty at the end."""
        group: list[Waiting] = []
        try:
            while len(group) < LARGEST_GROUP:
                waiting = self._waiting.get(block=not group)
                if waiting is None:
                    self._waiting.put(None)
                    return group
                group.append(waiting)
        except Empty:
            pass
        return group

    def _carry_out(self, connection: Connection, group: list[Waiting]) -> list[Answer]:
        """One transaction for all; each write in a savepoint, so that its failure is its own."""
        answers: list[Answer] = []
        try:
            with connection.begin():
                for change, future in group:
                    answers.append((future, *_attempt(connection, change)))
            self.commits += 1
        except BaseException as failure:
            own = {id(future): error for future, _, error in answers}
            return [(future, None, own.get(id(future)) or failure) for _, future in group]
        return answers


def _attempt(connection: Connection, change: Callable[[Connection], Any]) -> tuple[Any, BaseException | None]:
    connection.exec_driver_sql("SAVEPOINT one_write")
    try:
        result, error = change(connection), None
    except BaseException as failure:  # whatever it is, its caller wants to know and the thread must live
        try:
            connection.exec_driver_sql("ROLLBACK TO one_write")
        except DBAPIError:  # the whole transaction is gone, as with a full disk
            raise failure from None
        result, error = None, failure
    connection.exec_driver_sql("RELEASE one_write")
    return result, error


def _deliver(answers: list[Answer]) -> None:
    for future, result, error in answers:
        if future.done():  # whoever waited was cancelled
            continue
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)


@asynccontextmanager
async def open_sqlite(path: Path) -> AsyncIterator[SqliteDatabase]:
    """The database in the file, made if missing, migrated. Raises BadSetting."""
    writer, reader = _engine(path, "BEGIN IMMEDIATE", 1), _engine(path, "BEGIN", READERS)
    event.listen(reader, "connect", lambda raw, _: raw.execute("PRAGMA query_only = ON"))
    try:
        await asyncio.to_thread(_prepare, path, writer)
        database = SqliteDatabase(writer=writer, reader=reader, loop=asyncio.get_running_loop())
        try:
            yield database
        finally:
            database.close()
    finally:
        reader.dispose()
        writer.dispose()


def _prepare(path: Path, writer: Engine) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with writer.connect() as connection, _references_unenforced(connection), connection.begin():
            migrate(connection)
    except (OSError, DBAPIError) as problem:
        reason = problem.orig if isinstance(problem, DBAPIError) else problem
        raise BadSetting(name="TINTYPE_DATABASE_URL", problem=f"{path}: {reason}") from problem


@contextmanager
def _references_unenforced(connection: Connection) -> Iterator[None]:
    raw: Any = connection.connection.driver_connection
    raw.execute("PRAGMA foreign_keys = OFF")
    try:
        yield
    finally:
        raw.execute("PRAGMA foreign_keys = ON")


def _engine(path: Path, begin: str, connections: int) -> Engine:
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        connect_args={"check_same_thread": False, "timeout": BUSY_SECONDS, "cached_statements": 512},
        poolclass=QueuePool,
        hide_parameters=True,
        pool_size=connections,
        max_overflow=0,
    )

    @event.listens_for(engine, "connect")
    def prepare(raw: Any, _: Any) -> None:
        raw.isolation_level = None  # transactions begin where we say so
        raw.execute("PRAGMA journal_mode = WAL")
        raw.execute("PRAGMA synchronous = FULL")
        raw.execute("PRAGMA foreign_keys = ON")

    @event.listens_for(engine, "begin")
    def begin_transaction(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine
