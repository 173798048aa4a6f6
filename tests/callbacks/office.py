"""A deployment without workers: tasks are accepted and cancelled, and couriers tell of it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import update

from tintype.callbacks import Courier, Schedule
from tintype.domain.callback import Attempt, Callback, Delivery
from tintype.domain.project import Auth, Project
from tintype.domain.task import Task, TaskName
from tintype.outbound import open_outbound
from tintype.service import now
from tintype.storage import callback_secrets, callbacks, projects, tables
from worker.workshop import MODEL, Workshop, open_workshop


class Office:
    """A workshop where nobody works."""

    def __init__(self, workshop: Workshop) -> None:
        self.service = workshop.service
        self.database = workshop.database
        self.project = workshop.project

    async def end(self, url: str) -> Task:
        """A task with a callback, accepted and cancelled."""
        asked = {"prompt": "a red kite", "width": 64, "height": 64}
        task = await self.service.submit(self.project, self.service.catalogue[MODEL], asked, callback_url=url)
        return await self.service.cancel(self.project, TaskName(kind="id", value=str(task.id)))

    async def open_project(self, name: str) -> Project:
        """Another project of the same account."""
        vault, account = self.service.vault, self.project.account

        def create(connection: Any) -> Project:
            made, _ = projects.create_project(
                connection, vault, account=account, name=name, auth=Auth.KEY, now=now()
            )
            return made

        return await self.database.write(create)

    async def give(self, task: Task, project: Project) -> None:
        """The task's callback is the project's."""
        mine = tables.callbacks.c.task_id == task.id
        change = update(tables.callbacks).where(mine).values(project_id=project.id)
        await self.database.write(lambda c: c.execute(change))

    async def of(self, task: Task) -> Callback:
        [callback] = await self.database.read(lambda c: callbacks.list_callbacks(c, limit=2, task_id=task.id))
        return callback

    async def until(self, task: Task, condition: Callable[[Callback], bool]) -> Callback:
        """The task's callback, as soon as it is so."""
        async with asyncio.timeout(60):
            while True:
                if condition(callback := await self.of(task)):
                    return callback
                await asyncio.sleep(0.02)

    async def delivered(self, task: Task) -> Callback:
        return await self.until(task, lambda callback: callback.state is Delivery.DELIVERED)

    async def attempts(self, task: Task) -> list[Attempt]:
        callback = await self.of(task)
        return await self.database.read(lambda c: callbacks.attempts_of(c, callback.id))

    async def resend(self, task: Task) -> None:
        callback = await self.of(task)
        assert await self.database.write(lambda c: callbacks.resend(c, callback.id, now=now()))

    async def secret(self) -> str:
        vault, project = self.service.vault, self.project.id
        return await self.database.write(lambda c: callback_secrets.current(c, vault, project, now=now()))

    async def rotate(self) -> str:
        vault, project = self.service.vault, self.project.id
        day = 24 * 3600 * 1_000_000
        return await self.database.write(
            lambda c: callback_secrets.rotate(c, vault, project, now=now(), overlap=day)
        )

    @asynccontextmanager
    async def courier(self, *, allow_private: bool = True, **options: Any) -> AsyncIterator[None]:
        """Somebody who sends while the scope lasts."""
        async with open_outbound(allow_private=allow_private) as outbound:
            given: dict[str, Any] = {
                "outbound": outbound,
                "schedule": Schedule(first_retry=0.05),
                "timeout": 30.0,
            } | options
            courier = Courier(
                database=self.database,
                bus=self.service.bus,
                vault=self.service.vault,
                **given,
            )
            running = asyncio.create_task(courier.run())
            try:
                yield
            finally:
                running.cancel()
                await asyncio.wait([running])
                assert running.cancelled() or running.exception() is None


@asynccontextmanager
async def open_office(folder: Path, **options: Any) -> AsyncIterator[Office]:
    async with open_workshop(folder, **options) as workshop:
        yield Office(workshop)
