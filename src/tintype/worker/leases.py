"""What one worker may hold: it claims tasks, gives back what it does not know of, and leaves."""

from collections.abc import Collection, Container
from typing import NamedTuple

from sqlalchemy import Connection

from tintype.domain.lifecycle import Status
from tintype.domain.priority import Turns
from tintype.domain.task import Lease, Task
from tintype.moderation.policy import Policy
from tintype.service import now
from tintype.storage import moderation, tasks, workers
from tintype.storage.database import Database
from tintype.worker.recording import advance_all


class Claimed(NamedTuple):
    """A task that a worker has just claimed."""

    stages: list[Task]
    """It in every stage that it has reached: `task_preprocess_start` is last."""
    policy: Policy
    """What its project says of moderation."""


class Leases:
    """The leases of one worker, as the database knows them."""

    def __init__(self, database: Database, *, worker: str) -> None:
        self._database = database
        self._worker = worker
        self._turns = Turns()

    async def open(self) -> None:
        """To be called before the first claim."""
        await self._database.write(lambda connection: workers.register(connection, self._worker, now=now()))

    async def claim(self, places: int, *, urgent_places: int = 0, but: Collection[int] = ()) -> list[Claimed]:
        """At most so many tasks, and so many more of high priority; none of the projects `but`."""
        turns = self._turns.copy()

        def claim(connection: Connection) -> list[Claimed]:
            moment = now()
            claimed = tasks.claim(
                connection,
                worker=self._worker,
                places=places,
                now=moment,
                turns=turns,
                urgent_places=urgent_places,
                but=but,
            )
            policies = moderation.policies(connection, {task.project_id for task in claimed})
            moves = [(Status.PREPROCESS_START, moment)]
            return [
                Claimed(
                    stages=[task, *advance_all(connection, task.lease, moves)],
                    policy=policies.get(task.project_id, Policy()),
                )
                for task in claimed
            ]

        claimed = await self._database.write(claim)
        self._turns = turns
        return claimed

    async def give_back(self, *, but: Container[Lease], lost: bool) -> list[Task]:
        """Hands back every task but those: of a claim whose answer was lost, or of a broken attempt."""

        def give_back(connection: Connection) -> list[Task]:
            held = workers.leases(connection, self._worker)
            moment = now()
            return [
                tasks.hand_back(connection, lease, now=moment, lost=lost)
                for lease in held
                if lease not in but
            ]

        return await self._database.write(give_back)

    async def close(self) -> None:
        """The worker leaves for good."""
        await self._database.write(lambda connection: workers.retire(connection, self._worker))
