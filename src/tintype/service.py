"""The use cases that the API, the pages and the command line share.

Knows the store, the bus and the catalogue; nothing of HTTP and nothing of engines.
"""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from tintype.accounts import Accounts
from tintype.bus.protocol import CALLBACK, KILL, WORK, Bus, task_subject
from tintype.domain import callback
from tintype.domain.catalogue import Catalogue, Model
from tintype.domain.clock import now as now
from tintype.domain.errors import AccountSuspended, NotPermitted, ProjectSuspended, UnknownFile
from tintype.domain.events import status_event
from tintype.domain.inputs import estimated_pixels, estimated_work, read_inputs
from tintype.domain.money import MICROSECONDS
from tintype.domain.part import with_parts
from tintype.domain.pricing import Quote, quote
from tintype.domain.project import Project
from tintype.domain.quota import UNLIMITED, Quota
from tintype.domain.rate import Limited, Rate, Standing
from tintype.domain.task import File, Idempotency, NewTask, Task, TaskName
from tintype.domain.task_object import task_object
from tintype.domain.tokens import new_token
from tintype.domain.web_address import is_web_address
from tintype.filing import Filing
from tintype.storage import files, nonces, projects, rates, statistics, tasks
from tintype.storage.database import Database
from tintype.storage.objects import Objects
from tintype.storage.vault import Vault


class Service:
    """Everything a caller can want of Tintype."""

    def __init__(
        self,
        *,
        database: Database,
        bus: Bus,
        objects: Objects,
        vault: Vault,
        catalogue: Catalogue,
        public_url: str,
        wallet: bool = False,
        quota: Quota = UNLIMITED,
    ) -> None:
        self.database = database
        self.bus = bus
        self.objects = objects
        self.vault = vault
        self.catalogue = catalogue
        self.public_url = public_url
        self.accounts = Accounts(database, clock=now)
        self.wallet = wallet
        """Whether runs are paid from the balances of accounts."""
        self.filing = Filing(database=database, objects=objects, public_url=public_url, now=now, quota=quota)

    # Who is asking

    async def project_of(self, key: str) -> tuple[Project, tuple[str, ...]] | None:
        """The project of an API key, with the secrets that go with it; None if there is no such key."""
        return await self.database.read(
            lambda connection: projects.by_key(connection, self.vault, key, now=now())
        )

    async def spend_nonce(self, project: Project, nonce: str, *, expires: float) -> bool:
        """Whether the nonce is new. It is remembered until `expires`, in seconds since the epoch."""
        until = round(expires * MICROSECONDS)
        return await self.database.write(
            lambda connection: nonces.spend(connection, project.id, nonce, expires=until)
        )

    async def take_permit(self, project: Project, limited: Limited, rate: Rate) -> Standing:
        """One permit out of the project's bucket, if there is one."""
        return await self.database.write(
            lambda connection: rates.take(connection, project.id, limited, rate, now=now())
        )

    # Tasks

    async def submit(
        self,
        project: Project,
        model: Model,
        parameters: Mapping[str, Any],
        *,
        callback_url: str = "",
        billed_project_id: int | None = None,
        idempotency_key: str = "",
    ) -> Task:
        """Accepts a task. When this returns, the task survives a power cut.

        Raises, in this order, AccountSuspended, ProjectSuspended, InvalidInputs, NotPermitted,
        IdempotencyConflict, with a wallet InsufficientBalance and BalanceConcurrencyLimit, and
        ProjectConcurrencyLimit.
        """
        refuse_suspended(project)
        inputs = read_inputs(model, parameters)
        price = model.price_of(inputs)
        callback_is_wanted = is_web_address(callback_url)
        async with self.filing.keeping(inputs) as kept:
            new = NewTask(
                token=new_token(),
                project_id=project.id,
                billed_project_id=billed_project_id or project.id,
                model=model.slug,
                parameters=kept.shown(parameters),
                inputs=kept.shown(inputs),
                callback_url=callback_url,
                cps=price.cps,
                charge=price.charge,
                expected_charge=price.expected_charge(estimated_pixels(inputs)),
                share=str(project.id),
                weight=project.weight,
                priority=project.priority,
                cost_estimate=estimated_work(inputs),
                debug_error=callback.BAD_CALLBACK if callback_url and not callback_is_wanted else "",
                callback=callback.order(model, self.public_url) if callback_is_wanted else None,
                max_concurrent=project.max_concurrent,
                paying_account_id=project.account.id if self.wallet and (price.cps or price.charge) else None,
            )
            idempotency = (
                Idempotency(key=idempotency_key, fingerprint=_fingerprint(new, parameters))
                if idempotency_key
                else None
            )

            def accept(connection: Any) -> Task:
                _demand_one_account(connection, project.id, new.billed_project_id)
                task = tasks.submit(connection, new, idempotency=idempotency, now=now())
                if task.token == new.token:  # else it is the one that this key was given before
                    kept.take(connection, task)
                return task

            task = await self.database.write(accept)
            kept.is_taken = task.token == new.token
        await self.bus.publish(WORK)
        return task

    async def quote(
        self,
        project: Project,
        model: Model,
        parameters: Mapping[str, Any],
        *,
        billed_project_id: int | None = None,
    ) -> Quote:
        """What `submit` with the same arguments is expected to take and to cost; nothing is run or kept.

        Whether the balance is enough is not asked. Raises AccountSuspended, ProjectSuspended, InvalidInputs,
        NotPermitted.
        """
        refuse_suspended(project)
        inputs = read_inputs(model, parameters)
        price = model.price_of(inputs)

        def expect(connection: Any) -> Quote:
            _demand_one_account(connection, project.id, billed_project_id or project.id)
            return quote(
                statistics.paces(connection, model.slug),
                work=estimated_work(inputs),
                cps=price.cps,
                charge=price.expected_charge(estimated_pixels(inputs)),
            )

        return await self.database.read(expect)

    async def read(self, project: Project, name: TaskName) -> Task:
        """Raises UnknownTask, also for another project's."""
        return await self.database.read(lambda connection: tasks.find(connection, project.id, name))

    async def list_tasks(
        self, project: Project, *, start: int, limit: int, ascending: bool, model_part: str, largest: int
    ) -> tuple[int, list[Task]]:
        """How many of the project's tasks match, and one page of them; less than that where
        what callers sent for them is more than `largest` bytes as it is stored."""
        return await self.database.read(
            lambda connection: tasks.list_tasks(
                connection,
                project.id,
                start=start,
                limit=limit,
                ascending=ascending,
                model_part=model_part,
                largest=largest,
            )
        )

    async def cancel(self, project: Project, name: TaskName) -> Task:
        """Ends a queued task. Raises UnknownTask, NotCancellable."""
        return await self._end(lambda connection: tasks.cancel(connection, project.id, name, now=now()))

    async def kill(self, project: Project, name: TaskName) -> Task:
        """Ends a task that has not ended; its engine drops it before its next step.

        Raises UnknownTask, NotKillable.
        """
        return await self._end(lambda connection: tasks.kill(connection, project.id, name, now=now()))

    async def delete_files(self, project: Project, name: TaskName) -> None:
        """Deletes a terminal task's files for good. Raises UnknownTaskOfFiles, TaskNotTerminal."""
        keys = await self.database.write(
            lambda connection: tasks.forget_files(connection, project.id, name, now=now())
        )
        await self.filing.delete(keys)

    async def _end(self, change: Callable[[Any], Task]) -> Task:
        task = await self.database.write(change)
        await self.bus.publish(KILL, str(task.id).encode())
        await self.bus.publish(task_subject(task.id), msgspec.msgpack.encode(status_event(task)))
        if task.callback_url:
            await self.bus.publish(CALLBACK)
        return task

    def show(self, task: Task) -> dict[str, Any]:
        """The task as the wire shows it."""
        return task_object(task, self.catalogue.page_of(task.model), self.public_url)

    # Files

    async def file(self, access_key: str, name: str) -> File:
        """A stored file by its public name. Raises UnknownFile."""
        file = await self.database.read(lambda connection: files.by_access_key(connection, access_key))
        if file is None or file.name != name:
            raise UnknownFile
        return file


def refuse_suspended(project: Project) -> None:
    """Raises AccountSuspended, ProjectSuspended."""
    if project.account.suspended:
        raise AccountSuspended
    if project.suspended:
        raise ProjectSuspended


def _demand_one_account(connection: Any, project_id: int, billed_project_id: int) -> None:
    if billed_project_id != project_id and not projects.share_an_account(
        connection, project_id, billed_project_id
    ):
        raise NotPermitted


def _fingerprint(new: NewTask, parameters: Mapping[str, Any]) -> str:
    """A digest of what a Run asks: the model, its parameters and files, whatever the body's form was."""
    contents = with_parts(parameters, lambda part: {"sha256": part.digest})
    asked = [new.model, new.billed_project_id, new.callback_url, contents]
    return hashlib.sha256(msgspec.json.encode(asked, order="sorted")).hexdigest()
