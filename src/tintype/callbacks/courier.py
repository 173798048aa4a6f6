"""The courier: takes callbacks that are due out of the outbox, sends them, and records what came of it.

Any number may run on one database: a claim keeps others away for one attempt.
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress

import structlog
from sqlalchemy import Connection

from tintype.bus.protocol import CALLBACK, Bus
from tintype.callbacks.delivery import Outcome, deliver
from tintype.callbacks.limits import Limits
from tintype.callbacks.schedule import Schedule
from tintype.domain.callback import Callback, Claimed
from tintype.domain.clock import now
from tintype.domain.money import MICROSECONDS
from tintype.outbound import Outbound
from tintype.storage import callback_secrets, callbacks
from tintype.storage.database import Database
from tintype.storage.vault import Vault

POLL = 1.0
"""Seconds by which a lost wake-up can delay a callback."""
LOOKED_AT = 500
"""Callbacks from which the next attempts are chosen."""
MARGIN = 10.0
"""Seconds that a claim is longer than an attempt may last."""
FAREWELL = 5.0
"""Seconds in which attempts may still end when the courier is told to."""
SWEEP_EVERY = 3600.0
BROKEN = "the attempt failed in this server; its log says why"

Secrets = Mapping[int, Sequence[str]]

log = structlog.get_logger()


class Courier:
    """Runs until it is cancelled. `timeout` is what a receiver has to answer, in seconds."""

    def __init__(
        self,
        *,
        database: Database,
        bus: Bus,
        vault: Vault,
        outbound: Outbound,
        schedule: Schedule,
        timeout: float = 20.0,
    ) -> None:
        self._database = database
        self._bus = bus
        self._vault = vault
        self._outbound = outbound
        self._schedule = schedule
        self._timeout = timeout
        self._limits = Limits()
        self._under_way: set[asyncio.Task[None]] = set()
        self._woken = asyncio.Event()

    async def run(self) -> None:
        """Sends for ever. Once cancelled it waits a moment for attempts under way and hands back the rest."""
        async with asyncio.TaskGroup() as parts:
            parts.create_task(self._hear())
            parts.create_task(self._sweep())
            try:
                await self._send(parts)
            finally:
                if self._under_way:
                    await asyncio.wait(self._under_way, timeout=FAREWELL)

    async def _send(self, parts: asyncio.TaskGroup) -> None:
        """Claim, send, record."""
        while True:
            self._woken.clear()
            try:
                while begun := await self._claim():
                    for claimed, secrets in begun:
                        self._begin(parts, claimed, secrets)
            except Exception as problem:
                log.error("callbacks_not_claimed", problem=repr(problem)[:200])
            with suppress(TimeoutError):  # wait_for of Python 3.11 can swallow a cancellation
                async with asyncio.timeout(POLL):
                    await self._woken.wait()

    async def _claim(self) -> list[tuple[Claimed, Sequence[str]]]:
        """What is due and may be sent beside what is under way, with the secrets that sign it."""
        if self._limits.room <= 0:
            return []
        hosts, projects = self._limits.full_hosts, self._limits.full_projects
        found = await self._database.read(
            lambda connection: callbacks.due(
                connection, now=now(), limit=LOOKED_AT, but_hosts=hosts, but_projects=projects
            )
        )
        chosen = self._limits.take_from(found)
        claimed: list[tuple[Claimed, Sequence[str]]] = []
        try:
            if chosen:
                claimed = await self._database.write(lambda connection: self._lease(connection, chosen))
        finally:
            ours = {one.callback.id for one, _ in claimed}
            for callback in chosen:
                if callback.id not in ours:
                    self._limits.leave(callback)
        return claimed

    def _lease(
        self, connection: Connection, chosen: Sequence[Callback]
    ) -> list[tuple[Claimed, Sequence[str]]]:
        moment = now()
        until = moment + round((self._timeout + MARGIN) * MICROSECONDS)
        claimed = callbacks.claim(connection, [one.id for one in chosen], now=moment, until=until)
        projects = {one.callback.project_id for one in claimed}
        secrets: Secrets = {
            project: callback_secrets.signing(connection, self._vault, project, now=moment)
            for project in projects
        }
        return [(one, secrets[one.callback.project_id]) for one in claimed]

    def _begin(self, parts: asyncio.TaskGroup, claimed: Claimed, secrets: Sequence[str]) -> None:
        attempt = parts.create_task(self._attempt(claimed, secrets))
        self._under_way.add(attempt)

        def over(attempt: "asyncio.Task[None]") -> None:
            self._under_way.discard(attempt)
            self._limits.leave(claimed.callback)
            self._woken.set()

        attempt.add_done_callback(over)

    async def _attempt(self, claimed: Claimed, secrets: Sequence[str]) -> None:
        callback = claimed.callback
        try:
            await self._record(callback, await self._outcome(claimed, secrets))
        except asyncio.CancelledError:
            await self._database.write(
                lambda connection: callbacks.hand_back(connection, callback, now=now())
            )
            raise
        except Exception:
            log.exception("callback_not_recorded", callback=callback.id, attempt=callback.attempts)

    async def _outcome(self, claimed: Claimed, secrets: Sequence[str]) -> Outcome:
        """What came of an attempt; a fault of ours counts as a failure, lest it be tried for ever."""
        try:
            return await deliver(self._outbound, claimed, secrets, within=self._timeout)
        except Exception:
            log.exception("callback_broken", callback=claimed.callback.id, attempt=claimed.callback.attempts)
            return Outcome(error=BROKEN)

    async def _record(self, callback: Callback, outcome: Outcome) -> None:
        moment = now()
        again = None if outcome.delivered or outcome.is_final else self._schedule.again(callback, now=moment)
        await self._database.write(
            lambda connection: callbacks.record(
                connection,
                callback,
                status=outcome.status,
                answer=outcome.answer,
                error=outcome.error,
                delivered=outcome.delivered,
                again=again,
                now=moment,
            )
        )
        _tell(callback, outcome, dropped=again is None, pause=((again or moment) - moment) / MICROSECONDS)

    async def _hear(self) -> None:
        async with self._bus.subscribe(CALLBACK) as wakeups:
            async for _ in wakeups:
                self._woken.set()

    async def _sweep(self) -> None:
        """Forgets what ended long ago."""
        while True:
            try:
                while await self._database.write(lambda connection: callbacks.sweep(connection, now=now())):
                    pass
            except Exception as problem:
                log.error("callbacks_not_swept", problem=repr(problem)[:200])
            await asyncio.sleep(SWEEP_EVERY)


def _tell(callback: Callback, outcome: Outcome, *, dropped: bool, pause: float) -> None:
    """Names the host and never the whole URL, which may hold a secret of the receiver's."""
    fields = {
        "callback": callback.id,
        "task": callback.task_id,
        "attempt": callback.attempts,
        "host": callback.host,
        "status": outcome.status,
    }
    if outcome.delivered:
        log.info("callback_delivered", **fields)
    elif dropped:
        log.warning("callback_dropped", **fields, error=outcome.error)
    else:
        log.info("callback_failed", **fields, error=outcome.error, retry_after=round(pause, 1))
