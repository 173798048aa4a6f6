"""Short words for what the tests do with callbacks."""

from typing import Any

import msgspec

from conformance.storekeeper import MODEL_PAGE, SECOND, Storekeeper
from tintype.domain.callback import Attempt, Callback, Claimed, order
from tintype.domain.project import Project
from tintype.domain.task import Task
from tintype.storage import callbacks

URL = "https://shop.example/hook?order=7"
PUBLIC_URL = "http://pictures.example"
LEASE = 30


class Outbox:
    """The callbacks of a store."""

    def __init__(self, store: Storekeeper) -> None:
        self.store = store

    def asked(self, url: str = URL) -> dict[str, Any]:
        """What a task is submitted with so that it has a callback."""
        return {"callback_url": url, "callback": order(MODEL_PAGE, PUBLIC_URL)}

    async def ended(self, *, url: str = URL, project: Project | None = None, **changes: Any) -> Callback:
        """The callback of a new task that has been cancelled."""
        task = await self.store.submit(project, **self.asked(url), **changes)
        task = await self.store.cancel(task, project)
        return await self.of(task)

    async def of(self, task: Task) -> Callback:
        """The task's only callback."""
        [callback] = await self.all(task_id=task.id)
        return callback

    async def again(self, callback: Callback) -> Callback:
        """The callback as it is now."""
        found = await self.store.database.read(lambda c: callbacks.find(c, callback.message_id))
        assert found is not None
        return found

    async def all(self, **wanted: Any) -> list[Callback]:
        return await self.store.database.read(
            lambda c: callbacks.list_callbacks(c, **{"limit": 100, **wanted})
        )

    async def due(self, **wanted: Any) -> list[int]:
        """The ids of what may be claimed."""
        found = await self.store.database.read(
            lambda c: callbacks.due(c, now=self.store.now, **{"limit": 100, **wanted})
        )
        return [callback.id for callback in found]

    async def claim(self, *wanted: Callback) -> list[Claimed]:
        now = self.store.now
        return await self.store.database.write(
            lambda c: callbacks.claim(c, [one.id for one in wanted], now=now, until=now + LEASE * SECOND)
        )

    async def claimed(self, callback: Callback) -> Claimed:
        [claimed] = await self.claim(callback)
        return claimed

    async def record(self, claimed: Claimed, status: int | None = 200, *, again: int | None = None) -> bool:
        """The receiver answered so; if that is no success, the next attempt is after `again` seconds."""
        now = self.store.now
        later = None if again is None else now + again * SECOND
        return await self.store.database.write(
            lambda c: callbacks.record(
                c,
                claimed.callback,
                status=status,
                answer="" if status is None else "said the receiver",
                error="" if status else "Nobody is there.",
                delivered=status == 200,
                again=later,
                now=now,
            )
        )

    async def hand_back(self, claimed: Claimed) -> bool:
        return await self.store.database.write(
            lambda c: callbacks.hand_back(c, claimed.callback, now=self.store.now)
        )

    async def resend(self, callback: Callback) -> bool:
        return await self.store.database.write(lambda c: callbacks.resend(c, callback.id, now=self.store.now))

    async def attempts(self, callback: Callback) -> list[Attempt]:
        return await self.store.database.read(lambda c: callbacks.attempts_of(c, callback.id))

    async def sweep(self) -> int:
        return await self.store.database.write(lambda c: callbacks.sweep(c, now=self.store.now))


def shown(claimed: Claimed) -> dict[str, Any]:
    """The one task of a body."""
    envelope = msgspec.json.decode(claimed.body)
    assert {**envelope, "tasklist": []} == {"total": "1", "errors": [], "tasklist": [], "result": True}
    [task] = envelope["tasklist"]
    return dict(task)
