"""The life of tasks as a machine: random events, a small model of what follows, and what always holds.

The model knows per task its status, its lease and its lost attempts, in dictionaries; the store is real.
"""

import asyncio
import contextlib
from itertools import pairwise
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from msgspec.structs import replace
from sqlalchemy import Connection, select

from conformance.storekeeper import Storekeeper, failure
from tintype.domain.errors import (
    BalanceConcurrencyLimit,
    InsufficientBalance,
    LeaseLost,
    NotCancellable,
    NotKillable,
    TaskNotTerminal,
    UnfitAmount,
)
from tintype.domain.lifecycle import LEASED, LOST_ATTEMPTS_ALLOWED, MOVES, Status
from tintype.domain.money import PICODOLLARS
from tintype.domain.task import Lease, Task
from tintype.storage import ledger, tables, wallet
from tintype.storage.database import Database
from tintype.storage.statistics import runs_by_model
from tintype.storage.tables import MOMENTS
from tintype.storage.tasks import list_tasks

WORKERS = ("w1", "w2", "w3")
SILENCE = 15.0
PRICES = [585_000_000, 7 * PICODOLLARS]
steps = st.sampled_from(sorted(LEASED - {Status.ACCEPT}))
chance = st.integers(0, 1000)


class LifeOfTasks(RuleBasedStateMachine):
    """Subclasses open the store."""

    runner: ClassVar[asyncio.Runner]

    def open_store(self) -> Database:
        """An empty, migrated database."""
        raise NotImplementedError

    def __init__(self) -> None:
        super().__init__()
        self.tasks: dict[int, Task] = {}
        """Every task as it was last seen in the store."""
        self.status: dict[int, Status] = {}
        self.lease: dict[int, Lease | None] = {}
        self.lost_attempts: dict[int, int] = {}
        self.keys: dict[tuple[int, str], int] = {}
        self.leases: list[Lease] = []
        """Every lease there ever was: workers that were given up go on writing."""
        self.alive: set[str] = set()
        self.succeeded: set[int] = set()
        self.paying: set[int] = set()
        """Tasks that were accepted while money counted."""

    @initialize()
    def open(self) -> None:
        self.store = Storekeeper(self.open_store())
        self.do(self.store.open_project("first"))
        self.do(self.store.open_project("second", weight=2.0))

    def do(self, work: Any) -> Any:
        return self.runner.run(work)

    # What happens

    @rule(place=st.integers(0, 1), key=st.sampled_from(["", "a", "b"]), cps=st.sampled_from([0, 585_000_000]))
    def submit(self, place: int, key: str, cps: int) -> None:
        self.accepted(place, key, self.do(self.store.submit(self.store.projects[place], key=key, cps=cps)))

    @rule(place=st.integers(0, 1), key=st.sampled_from(["", "a"]), cps=st.sampled_from(PRICES))
    def submit_paid(self, place: int, key: str, cps: int) -> None:
        try:
            task = self.do(self.store.submit_paid(self.store.projects[place], key=key, cps=cps))
        except (InsufficientBalance, BalanceConcurrencyLimit):
            return
        if task.id not in self.status:
            self.paying.add(task.id)
        self.accepted(place, key, task)

    @rule(dollars=st.sampled_from([1, 30, 300]))
    def top_up(self, dollars: int) -> None:
        self.do(self.store.top_up(dollars * PICODOLLARS))

    @precondition(lambda self: self.succeeded)
    @rule(which=chance)
    def refund(self, which: int) -> None:
        task_id = sorted(self.succeeded)[-1 - which % len(self.succeeded)]
        moment = self.store.now

        def give_back(connection: Connection) -> None:
            wallet.refund(connection, task_id, now=moment, reason="not what was asked")

        with contextlib.suppress(UnfitAmount):
            self.do(self.store.database.write(give_back))

    def accepted(self, place: int, key: str, task: Task) -> None:
        first = self.keys.setdefault((place, key), task.id) if key else task.id
        assert task.id == first
        if task.id not in self.status:
            self.status[task.id], self.lease[task.id], self.lost_attempts[task.id] = Status.QUEUE, None, 0

    @rule(worker=st.sampled_from(WORKERS), places=st.integers(1, 3))
    def claim(self, worker: str, places: int) -> None:
        if worker not in self.alive:
            self.do(self.store.register(worker))
            self.alive.add(worker)
        waiting = {task_id for task_id, status in self.status.items() if status is Status.QUEUE}
        claimed = self.do(self.store.claim(places, worker=worker))
        assert {task.id for task in claimed} <= waiting
        assert len(claimed) == min(places, len(waiting))
        for task in claimed:
            assert task.lease not in self.leases
            self.status[task.id], self.lease[task.id] = Status.ACCEPT, task.lease
            self.leases.append(task.lease)

    @precondition(lambda self: self.leases)
    @rule(which=chance, status=steps)
    def advance(self, which: int, status: Status) -> None:
        lease = self.any_lease(which)
        allowed = self.holds(lease) and self.status[lease.task_id].may_become(status)
        if self.wins(self.store.advance(lease, status), expected=allowed):
            self.status[lease.task_id] = status

    @precondition(lambda self: self.leases)
    @rule(which=chance)
    def note_progress(self, which: int) -> None:
        lease = self.any_lease(which)
        status = self.status[lease.task_id]
        allowed = self.holds(lease) and (status is Status.OUTPUT or status.may_become(Status.OUTPUT))
        if self.wins(self.store.note_progress(lease), expected=allowed):
            self.status[lease.task_id] = Status.OUTPUT

    @precondition(lambda self: self.leases)
    @rule(which=chance, fails=st.booleans())
    def finish(self, which: int, fails: bool) -> None:
        lease = self.any_lease(which)
        if self.wins(self.store.finish(lease, failure() if fails else None), expected=self.holds(lease)):
            self.end(lease.task_id, Status.POSTPROCESS_END)
            if not fails:
                self.succeeded.add(lease.task_id)

    @precondition(lambda self: self.leases)
    @rule(which=chance)
    def hand_back(self, which: int) -> None:
        lease = self.any_lease(which)
        if self.wins(self.store.hand_back(lease), expected=self.holds(lease)):
            self.end(lease.task_id, Status.QUEUE)

    @precondition(lambda self: self.status)
    @rule(which=chance)
    def cancel(self, which: int) -> None:
        task_id = self.any_task(which)
        allowed = self.status[task_id] in (Status.QUEUE, Status.CANCEL)
        if self.wins(self.by_owner(self.store.cancel, task_id), expected=allowed):
            self.end(task_id, Status.CANCEL)

    @precondition(lambda self: self.status)
    @rule(which=chance)
    def kill(self, which: int) -> None:
        task_id = self.any_task(which)
        allowed = self.status[task_id] is not Status.POSTPROCESS_END
        if self.wins(self.by_owner(self.store.kill, task_id), expected=allowed):
            self.end(task_id, Status.CANCEL)

    @precondition(lambda self: self.status)
    @rule(which=chance)
    def forget_files(self, which: int) -> None:
        task_id = self.any_task(which)
        terminal = self.status[task_id].is_terminal
        if self.wins(self.by_owner(self.store.forget_files, task_id), expected=terminal):
            self.tasks[task_id] = replace(self.tasks[task_id], outputs=(), output_folder="0")

    @rule(worker=st.sampled_from(WORKERS))
    def crash(self, worker: str) -> None:
        self.alive.discard(worker)

    @rule(seconds=st.floats(-30, 30))
    def pass_time(self, seconds: float) -> None:
        self.store.pass_time(seconds)

    @rule()
    def rescue(self) -> None:
        self.store.pass_time(SILENCE + 60)  # more than the clock may have stepped back
        for worker in self.alive:
            mine = [lease for lease in self.leases if lease.worker == worker]
            lost = self.do(self.store.heartbeat(worker, *mine))
            assert lost == [lease for lease in mine if not self.holds(lease)]
        orphaned = {
            task_id for task_id, lease in self.lease.items() if lease and lease.worker not in self.alive
        }
        rescued = self.do(self.store.rescue(silence=SILENCE))
        assert {task.id for task in rescued} == orphaned
        for task_id in orphaned:
            self.lost_attempts[task_id] += 1
            given_up = self.lost_attempts[task_id] == LOST_ATTEMPTS_ALLOWED
            self.end(task_id, Status.POSTPROCESS_END if given_up else Status.QUEUE)
        assert self.do(self.store.rescue(silence=SILENCE)) == []

    # What follows

    def any_lease(self, which: int) -> Lease:
        """Late ones preferred, so that stories go on."""
        return self.leases[-1 - which % len(self.leases)]

    def any_task(self, which: int) -> int:
        return sorted(self.status)[-1 - which % len(self.status)]

    def holds(self, lease: Lease) -> bool:
        return self.lease[lease.task_id] == lease

    def wins(self, write: Any, *, expected: bool) -> bool:
        try:
            self.do(write)
        except (LeaseLost, NotCancellable, NotKillable, TaskNotTerminal):
            assert not expected
            return False
        assert expected
        return True

    def by_owner(self, change: Any, task_id: int) -> Any:
        task = self.tasks[task_id]
        return change(task, next(p for p in self.store.projects if p.id == task.project_id))

    def end(self, task_id: int, status: Status) -> None:
        self.status[task_id], self.lease[task_id] = status, None

    # What always holds

    @invariant()
    def the_store_agrees_with_the_model(self) -> None:
        seen, charges, total, owners = self.do(self.store.database.read(self.look))
        assert {task_id: task.status for task_id, task in seen.items()} == self.status
        for task_id, task in seen.items():
            self.check_task(task)
            if task_id in self.tasks:
                self.check_change(self.tasks[task_id], task)
        self.tasks = seen

        self.check_books(seen)
        self.check_counts()
        costs = {task.id: task.total_cost for task in seen.values() if task.total_cost}
        assert dict(charges) == costs
        assert len(charges) == len(costs)
        assert total == sum(costs.values())
        assert sorted(owners) == sorted(self.succeeded)

    def look(self, connection: Connection) -> tuple[dict[int, Task], list[Any], int, list[int]]:
        """Every task by its id, every charge as task and amount, their sum, and the task of each file."""
        every = {"start": 0, "limit": 1000, "ascending": True, "model_part": ""}
        pages = [list_tasks(connection, project.id, **every)[1] for project in self.store.projects]
        paid = select(tables.ledger.c.task_id, tables.ledger.c.cost).where(tables.ledger.c.cost > 0)
        charges = connection.execute(paid).all()
        owners = connection.execute(select(tables.files.c.task_id)).scalars().all()
        seen = {task.id: task for page in pages for task in page}
        return seen, list(charges), ledger.total(connection), list(owners)

    def check_books(self, seen: dict[int, Task]) -> None:
        """Nobody owes anything, and money is put aside for paying tasks until they end and no longer."""
        assert self.do(self.store.problems()) == ()
        has = self.do(self.store.wallet())
        assert 0 <= has.reserved <= has.balance
        reserved = {row.task_id for row in self.do(self.store.rows("reservations"))}
        assert reserved == {task_id for task_id in self.paying if not seen[task_id].status.is_terminal}
        if not reserved:
            assert has.reserved == 0

    def check_counts(self) -> None:
        """The counters of ended tasks and the unfinished ones add up to all tasks."""
        runs = self.do(self.store.database.read(runs_by_model)).values()
        ended = [task_id for task_id, status in self.status.items() if status is Status.POSTPROCESS_END]
        assert sum(each.all for each in runs) == len(self.status)
        assert sum(each.successes for each in runs) == len(self.succeeded)
        assert sum(each.failures for each in runs) == len(ended) - len(self.succeeded)

    def check_task(self, task: Task) -> None:
        lease = self.lease[task.id]
        assert task.lost_attempts == self.lost_attempts[task.id]
        assert (task.lease == lease) if lease else task.status not in LEASED
        reached = [moment for name in MOMENTS if (moment := getattr(task.moments, name))]
        assert all(earlier <= later for earlier, later in pairwise(reached))
        assert (task.exit_code is not None) == (task.status is Status.POSTPROCESS_END)
        assert task.succeeded == (task.id in self.succeeded)
        assert task.succeeded or (task.total_cost, task.outputs) == (0, ())

    def check_change(self, before: Task, after: Task) -> None:
        if before == after:
            return
        assert not before.status.is_terminal
        assert after.sequence > before.sequence
        progress = before.status is after.status is Status.OUTPUT
        assert progress or after.status in MOVES[before.status]
        assert after.rank == before.rank
        assert after.attempt == before.attempt + (before.status is Status.QUEUE and after.status in LEASED)
