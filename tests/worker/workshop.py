"""A database, a bus, a folder of pictures and workers on them: what stands behind the wire."""

import asyncio
import copy
import fcntl
import os
import signal
import sys
import termios
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, Self

import msgspec
import psutil
from sqlalchemy import select

import tintype
from databases import place_database
from tintype.bootstrap.policies import moderating_of
from tintype.bus import WORK, Bus, open_bus, task_subject
from tintype.domain.catalogue import load_catalogue
from tintype.domain.events import TaskEvent
from tintype.domain.project import Auth
from tintype.domain.task import NewTask, Task, TaskName
from tintype.domain.tokens import new_token
from tintype.engine.process import HostProcess, start_host
from tintype.engine.protocol import Command, Event, Job
from tintype.outbound import Outbound, open_outbound
from tintype.service import Service, now
from tintype.settings import Settings
from tintype.storage import accounts, projects, tasks
from tintype.storage.database import Database, open_database
from tintype.storage.objects import Objects, open_objects
from tintype.storage.tables import ledger
from tintype.storage.vault import open_vault
from tintype.worker.engine_host import EngineHost
from tintype.worker.preparing import Preparing
from tintype.worker.provenance import Provenance
from tintype.worker.recycling import NO_LIMITS, MemoryLimits
from tintype.worker.worker import Worker

MODEL = "black-forest-labs/flux-2-flex-t2i"


class Workshop:
    """One deployment in one process, with a project that asks for pictures."""

    def __init__(self, *, service: Service, outbound: Outbound, folder: Path) -> None:
        self.service = service
        self.outbound = outbound
        self.database: Database = service.database
        self.bus: Bus = service.bus
        self.objects: Objects = service.objects
        self.folder = folder
        self.locks = folder / "workers"
        self.settings: dict[str, Any] = {}
        """Of moderation; a worker heeds nothing else of them."""

    async def open_project(self, name: str = "asker") -> Self:
        def create(connection: Any) -> Any:
            account = accounts.ensure_account(connection, name=name, now=now())
            return (
                projects.by_name(connection, name)
                or projects.create_project(
                    connection, self.service.vault, account=account, name=name, auth=Auth.KEY, now=now()
                )[0]
            )

        self.project = await self.database.write(create)
        return self

    async def another(self) -> Self:
        """The same deployment, with a project that somebody else has."""
        return await copy.copy(self).open_project("other")

    # Asking

    async def run(self, prompt: str = "a red kite", **inputs: Any) -> Task:
        """A task, accepted; small and short unless the inputs say otherwise."""
        asked = {"prompt": prompt, "width": 64, "height": 64, "steps": 4} | inputs
        return await self.service.submit(self.project, self.service.catalogue[MODEL], asked)

    async def look(self, task: Task) -> Task:
        """The task as it is now."""
        return await self.service.read(self.project, TaskName(kind="id", value=str(task.id)))

    async def submit(self, **inputs: Any) -> Task:
        """A task with inputs that nobody has checked."""
        new = NewTask(
            token=new_token(),
            project_id=self.project.id,
            billed_project_id=self.project.id,
            model=MODEL,
            parameters={},
            inputs=inputs,
            callback_url="",
            cps=1,
            share="",
            weight=1.0,
            cost_estimate=1.0,
        )
        task = await self.database.write(lambda c: tasks.submit(c, new, idempotency=None, now=now()))
        await self.bus.publish(WORK)
        return task

    async def kill(self, task: Task) -> Task:
        return await self.service.kill(self.project, TaskName(kind="id", value=str(task.id)))

    async def until(self, task: Task, condition: Callable[[Task], bool]) -> Task:
        """The task, as soon as it is so. Waits at most 150 s."""
        async with asyncio.timeout(150):
            while True:
                found = await self.look(task)
                if condition(found):
                    return found
                await asyncio.sleep(0.02)

    async def ends(self, task: Task) -> Task:
        return await self.until(task, lambda task: task.status.is_terminal)

    async def picture(self, task: Task) -> bytes:
        """The one picture of a finished task."""
        (output,) = (await self.look(task)).outputs
        return await self.objects.get(output.object_key)

    async def charges(self) -> dict[int, int]:
        """How often each task was charged."""
        rows = await self.database.read(lambda c: c.execute(select(ledger.c.task_id)).scalars().all())
        return {task_id: list(rows).count(task_id) for task_id in rows}

    def stored(self) -> list[Path]:
        """Every picture in the folder."""
        return [path for path in (self.folder / "files").rglob("*") if path.is_file()]

    @asynccontextmanager
    async def events(self, task: Task) -> AsyncIterator[list[TaskEvent]]:
        """What is told of the task from now on; the list grows."""
        heard: list[TaskEvent] = []

        async def listen(payloads: AsyncIterator[bytes]) -> None:
            async for payload in payloads:
                heard.append(msgspec.msgpack.decode(payload, type=TaskEvent))

        async with self.bus.subscribe(task_subject(task.id)) as payloads:
            listening = asyncio.create_task(listen(payloads))
            try:
                yield heard
            finally:
                listening.cancel()

    # Working

    def worker(
        self,
        hosts: "Hosts | None" = None,
        *,
        longest_silence: float = 900.0,
        limits: MemoryLimits = NO_LIMITS,
        **options: Any,
    ) -> Worker:
        """A worker that is yet to run, with one engine."""
        engine = EngineHost(
            start=hosts or Hosts(), first_pause=0.05, longest_silence=longest_silence, limits=limits
        )
        return Worker(
            database=self.database,
            bus=self.bus,
            objects=self.objects,
            engines=[engine],
            moderating=moderating_of(Settings(**self.settings)),
            preparing=self.preparing(),
            locks=self.locks,
            **{"heartbeat": 0.2, "provenance": Provenance()} | options,
        )

    def preparing(self) -> Preparing:
        """What makes this deployment's tasks ready to be drawn."""
        return Preparing(
            database=self.database,
            objects=self.objects,
            outbound=self.outbound,
            public_url=self.service.public_url,
        )

    @asynccontextmanager
    async def working(self, hosts: "Hosts | None" = None, **options: Any) -> AsyncIterator[Worker]:
        """A worker that runs, until the context ends."""
        worker = self.worker(hosts, **options)
        async with running(worker):
            yield worker


class Hosts:
    """Starts engine hosts, and can do to the newest what the world does to processes."""

    def __init__(self, weights: str = "blank:", *, frozen: bool = False, **options: Any) -> None:
        self.started = 0
        self.said: list[Event] = []
        """What every host said, in order."""
        self.wire: list[Command | Event] = []
        """What the newest host said and was told, in order."""
        self.frozen = frozen
        self._start = partial(start_host, weights=weights, on_log=lambda line: None, **options)
        self._pid = 0

    @property
    def living(self) -> list[int]:
        """The process ids of hosts that were not closed."""
        return [self._pid] if self._pid else []

    @asynccontextmanager
    async def __call__(self) -> AsyncIterator[HostProcess]:
        async with self._start() as host:
            self.started, self._pid, self._host = self.started + 1, host.pid, host
            host.events = partial(self._overhear, host.events)  # type: ignore[method-assign]
            host.send = partial(self._overhear_telling, host.send)  # type: ignore[method-assign]
            self.wire = []
            if self.frozen:
                self.signal(signal.SIGSTOP)
            try:
                yield host
            finally:
                self.signal(signal.SIGCONT)
                self._pid = 0

    def thaw(self) -> None:
        self.frozen = False
        self.signal(signal.SIGCONT)

    def kill(self) -> None:
        self.signal(signal.SIGKILL)

    def signal(self, number: signal.Signals) -> None:
        if self._pid:
            with suppress(ProcessLookupError):
                os.kill(self._pid, number)

    async def freeze(self) -> None:
        """The newest host stands still, and all that it has said is heard."""
        self.frozen = True
        self.signal(signal.SIGSTOP)
        await until(lambda: psutil.Process(self._pid).status() == psutil.STATUS_STOPPED)
        await until(lambda: not unheard(self._host))

    def jobs(self) -> list[int]:
        """The tasks that the newest host was given, in order."""
        return [int(word.id.split(".")[0]) for word in self.wire if isinstance(word, Job)]

    async def _overhear_telling(
        self, send: Callable[[Command], Coroutine[Any, Any, None]], command: Command
    ) -> None:
        await send(command)
        self.wire.append(command)

    async def _overhear(self, events: Callable[[], AsyncIterator[Event]]) -> AsyncIterator[Event]:
        async for event in events():
            self.said.append(event)
            self.wire.append(event)
            yield event


def unheard(host: HostProcess) -> int:
    """Bytes that the host has written and nobody has read."""
    transport = host._process._transport.get_pipe_transport(1)  # type: ignore[attr-defined]
    in_pipe = fcntl.ioctl(transport.get_extra_info("pipe"), termios.FIONREAD, bytes(4))
    return int.from_bytes(in_pipe, sys.byteorder) + len(host._stdout._buffer)  # type: ignore[attr-defined]


async def until(condition: Callable[[], Any], *, within: float = 150) -> None:
    """Waits until something is so."""
    async with asyncio.timeout(within):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


@asynccontextmanager
async def running(worker: Worker) -> AsyncIterator["asyncio.Task[None]"]:
    """Runs a worker; at the end it is drained at once."""
    task = asyncio.create_task(worker.run())
    try:
        yield task
    finally:
        worker.drain()
        worker.drain()
        async with asyncio.timeout(20):
            await task


@asynccontextmanager
async def open_workshop(
    folder: Path, *, database_url: str = "", bus_url: str = "memory:", allow_private: bool = False
) -> AsyncIterator[Workshop]:
    async with AsyncExitStack() as stack:
        service = Service(
            database=await stack.enter_async_context(
                open_database(database_url or f"sqlite:///{place_database(folder / 'tintype.db')}")
            ),
            bus=await stack.enter_async_context(open_bus(bus_url)),
            objects=open_objects(folder / "files"),
            vault=open_vault(folder / "vault.key"),
            catalogue=load_catalogue(Path(tintype.__file__).parent / "models"),
            public_url="http://pictures.example",
        )
        outbound = await stack.enter_async_context(open_outbound(allow_private=allow_private))
        yield await Workshop(service=service, outbound=outbound, folder=folder).open_project()
