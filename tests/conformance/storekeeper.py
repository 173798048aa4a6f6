"""Short words for what the tests do with a database. Time stands still but where a test moves `now`."""

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, select

import tintype
from tintype.domain.catalogue import load_catalogue
from tintype.domain.lifecycle import Status
from tintype.domain.priority import Turns
from tintype.domain.project import Auth, Project
from tintype.domain.task import (
    FAILURE,
    SUCCESS,
    File,
    Idempotency,
    Lease,
    NewTask,
    Outcome,
    Task,
    TaskName,
)
from tintype.domain.tokens import new_file_id, new_token
from tintype.domain.wallet import Wallet
from tintype.storage import accounts, ledger, loose, projects, tasks, wallet, workers
from tintype.storage.audit import audit
from tintype.storage.database import Database
from tintype.storage.tables import metadata
from tintype.storage.vault import Vault

T = TypeVar("T")

SECOND = 1_000_000
MODEL_PAGE = load_catalogue(Path(tintype.__file__).parent / "models")["black-forest-labs/flux-2-flex-t2i"]
DAWN = 1_734_513_800 * SECOND
"""When every test begins, in microseconds since the epoch."""
CPS = 585_000_000
"""$0.000585 per second."""


class Storekeeper:
    """A database, a vault, a clock, and the projects opened so far."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.vault = Vault(b"k" * 32)
        self.now = DAWN
        self.projects: list[Project] = []
        self.turns = Turns()

    @property
    def project(self) -> Project:
        """The first project."""
        return self.projects[0]

    def pass_time(self, seconds: float) -> None:
        self.now += round(seconds * SECOND)

    async def open_project(self, name: str, *, account: str = "default", **limits: Any) -> Project:
        def open_it(connection: Connection) -> Project:
            owner = accounts.ensure_account(connection, name=account, now=self.now)
            return projects.create_project(
                connection, self.vault, account=owner, name=name, auth=Auth.KEY, now=self.now, **limits
            )[0]

        project = await self.database.write(open_it)
        self.projects.append(project)
        return project

    def new_task(self, project: Project | None = None, **changes: Any) -> NewTask:
        project = project or self.project
        fields: dict[str, Any] = {
            "token": new_token(),
            "project_id": project.id,
            "billed_project_id": project.id,
            "model": "black-forest-labs/flux-2-flex-t2i",
            "parameters": {"prompt": "a red kite"},
            "inputs": {"prompt": "a red kite", "width": 64, "height": 64, "steps": 4},
            "callback_url": "",
            "cps": CPS,
            "share": str(project.id),
            "weight": project.weight,
            "priority": project.priority,
            "cost_estimate": 100.0,
            "max_concurrent": project.max_concurrent,
        }
        return NewTask(**{**fields, **changes})

    async def submit(
        self, project: Project | None = None, *, key: str = "", asked: str = "this", **changes: Any
    ) -> Task:
        new = self.new_task(project, **changes)
        idempotency = Idempotency(key=key, fingerprint=asked) if key else None
        return await self.database.write(
            lambda connection: tasks.submit(connection, new, idempotency=idempotency, now=self.now)
        )

    async def claim(
        self, places: int = 1, *, worker: str = "w1", urgent_places: int = 0, but: Collection[int] = ()
    ) -> list[Task]:
        return await self.database.write(
            lambda connection: tasks.claim(
                connection,
                worker=worker,
                places=places,
                now=self.now,
                turns=self.turns,
                urgent_places=urgent_places,
                but=but,
            )
        )

    async def claimed(self, *, worker: str = "w1", **changes: Any) -> Task:
        """A new task, held by the worker."""
        await self.submit(**changes)
        [task] = await self.claim(worker=worker)
        return task

    async def advance(self, lease: Lease, status: Status) -> Task:
        return await self.database.write(
            lambda connection: tasks.advance(connection, lease, status, now=self.now)
        )

    async def note_progress(self, lease: Lease) -> Task:
        return await self.database.write(
            lambda connection: tasks.note_progress(connection, lease, now=self.now)
        )

    async def finish(self, lease: Lease, outcome: Outcome | None = None) -> Task:
        """With outputs that were announced, as a worker does, if they were not yet."""
        outcome = outcome or success()

        def finish(connection: Connection) -> Task:
            if outcome.outputs:
                loose.announce(connection, [file.object_key for file in outcome.outputs], now=self.now)
            return tasks.finish(connection, lease, outcome, now=self.now)

        return await self.database.write(finish)

    async def finished(self, outcome: Outcome | None = None, **changes: Any) -> Task:
        """A new task that was claimed and finished."""
        return await self.finish((await self.claimed(**changes)).lease, outcome)

    async def hand_back(self, lease: Lease, *, lost: bool = False) -> Task:
        return await self.database.write(
            lambda connection: tasks.hand_back(connection, lease, now=self.now, lost=lost)
        )

    async def cancel(self, task: Task | TaskName, project: Project | None = None) -> Task:
        return await self._by_owner(tasks.cancel, task, project)

    async def kill(self, task: Task | TaskName, project: Project | None = None) -> Task:
        return await self._by_owner(tasks.kill, task, project)

    async def forget_files(self, task: Task | TaskName, project: Project | None = None) -> list[str]:
        return await self._by_owner(tasks.forget_files, task, project)

    async def find(self, task: Task | TaskName, project: Project | None = None) -> Task:
        owner = (project or self.project).id
        return await self.database.read(lambda connection: tasks.find(connection, owner, named(task)))

    async def list_tasks(self, project: Project | None = None, **wanted: Any) -> tuple[int, list[Task]]:
        owner = (project or self.project).id
        page = {"start": 0, "limit": 20, "ascending": False, "model_part": "", **wanted}
        return await self.database.read(lambda connection: tasks.list_tasks(connection, owner, **page))

    async def register(self, worker: str) -> None:
        await self.database.write(lambda connection: workers.register(connection, worker, now=self.now))

    async def heartbeat(self, worker: str, *holding: Lease) -> list[Lease]:
        return await self.database.write(
            lambda connection: workers.heartbeat(connection, worker, holding, now=self.now)
        )

    async def rescue(self, *, silence: float = 15) -> list[Task]:
        silent_since = self.now - round(silence * SECOND)
        return await self.database.write(
            lambda connection: workers.rescue(connection, silent_since=silent_since, now=self.now)
        )

    async def charged(self, project: Project | None = None) -> int:
        owner = project.id if project else None
        return await self.database.read(lambda connection: ledger.total(connection, owner))

    async def top_up(self, amount: int, project: Project | None = None) -> Wallet:
        account = (project or self.project).account
        return await self.database.write(
            lambda connection: wallet.top_up(connection, account.id, amount, now=self.now)
        )

    async def wallet(self, project: Project | None = None) -> Wallet:
        account = (project or self.project).account
        return await self.database.read(lambda connection: wallet.wallet_of(connection, account.id))

    async def submit_paid(self, project: Project | None = None, **changes: Any) -> Task:
        """A task that the project's account pays for."""
        payer = (project or self.project).account.id
        return await self.submit(project, paying_account_id=payer, **changes)

    async def problems(self) -> tuple[str, ...]:
        """What is wrong with the books."""
        return (await self.database.read(audit)).problems

    async def rows(self, table: str) -> list[Any]:
        query = select(metadata.tables[table])
        return await self.database.read(lambda connection: list(connection.execute(query).all()))

    async def _by_owner(self, change: Callable[..., T], task: Task | TaskName, project: Project | None) -> T:
        owner = (project or self.project).id
        return await self.database.write(
            lambda connection: change(connection, owner, named(task), now=self.now)
        )


def named(task: Task | TaskName) -> TaskName:
    """The task's id as its name."""
    return TaskName(kind="id", value=str(task.id)) if isinstance(task, Task) else task


def picture(number: int = 0, *, folder: str | None = None) -> File:
    """A stored picture."""
    return File(
        id=new_file_id(),
        name=f"{number}.png",
        content_type="image/png",
        size=2024,
        folder=folder or new_file_id(),
        access_key=new_token(),
        object_key=f"outputs/{new_file_id()}/{number}.png",
        added=DAWN,
    )


def success(*outputs: File) -> Outcome:
    """An attempt that drew; one picture where none is given."""
    outputs = outputs or (picture(),)
    return Outcome(exit_code=SUCCESS, outputs=outputs, output_folder=outputs[0].folder)


def failure(reason: str = "The engine gave up.") -> Outcome:
    """An attempt that failed."""
    return Outcome(exit_code=FAILURE, debug_error=reason)
