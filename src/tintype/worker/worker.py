"""The worker: claims tasks for its engines, draws them, and records how they end."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import structlog

from tintype.bus.protocol import KILL, WATCH, WORK, Bus
from tintype.domain.errors import LeaseLost
from tintype.domain.source import Source
from tintype.domain.task import Lease
from tintype.domain.tokens import new_token
from tintype.storage.database import Database
from tintype.storage.objects import Objects
from tintype.worker.alongside import alongside
from tintype.worker.audience import Audience
from tintype.worker.drawing import Drawing
from tintype.worker.engine_host import EngineHost, Interruption
from tintype.worker.fetches import MOST_AWAY, Fetches
from tintype.worker.heartbeat import Heartbeat
from tintype.worker.janitor import Janitor
from tintype.worker.leases import Claimed, Leases
from tintype.worker.moderating import Moderating
from tintype.worker.preparing import Preparing
from tintype.worker.presence import present
from tintype.worker.provenance import Provenance
from tintype.worker.recording import Recording
from tintype.worker.shutdown import Shutdown
from tintype.worker.standing import remove_standing, write_standing
from tintype.worker.story import tell_handed_back
from tintype.worker.sweeping import Sweeper

POLL = 1.0
"""Seconds by which a lost wake-up can delay a task."""
FAREWELL = 10.0
"""Seconds that handing back may take once the grace is over."""

log = structlog.get_logger()


class Worker:
    """Runs until it is drained, and may run once. `locks` is a folder on this machine.

    `source_of` says what draws the model of a task, by its slug; it raises UnknownModel.

    `heartbeat` is the time between signs of life, `silence` that after which a worker counts as dead,
    `grace` what running tasks have to finish after `drain`; all in seconds. `most_away` is how many tasks may
    fetch files, or wait to, besides those with a place on an engine.
    """

    def __init__(
        self,
        *,
        database: Database,
        bus: Bus,
        objects: Objects,
        engines: Sequence[EngineHost],
        preparing: Preparing,
        moderating: Moderating,
        provenance: Provenance,
        locks: Path,
        source_of: Callable[[str], Source] = lambda model: Source(),
        grace: float = 30.0,
        heartbeat: float = 2.0,
        silence: float = 15.0,
        most_away: int = MOST_AWAY,
    ) -> None:
        self.id = new_token(16)
        self._database = database
        self._bus = bus
        self._objects = objects
        self._engines = engines
        self._preparing = preparing
        self._moderating = moderating
        self._provenance = provenance
        self._locks = locks
        self._source_of = source_of
        self._leases = Leases(database, worker=self.id)
        self._shutdown = Shutdown(grace=grace)
        self._janitor = Janitor(database=database, bus=bus, locks=locks, silence=silence)
        self._sweeper = Sweeper(database=database, objects=objects)
        self._heartbeat = Heartbeat(
            worker=self.id, database=database, every=heartbeat, holding=self._holding, on_lost=self._lose
        )
        self._audience = Audience()
        self._fetches = Fetches(most_away)
        self._drawings: dict[Lease, Drawing] = {}
        self._woken = asyncio.Event()
        self._in_doubt = False
        for engine in engines:
            engine.on_free = self._woken.set
            engine.on_models = self._show_models

    @property
    def is_ready(self) -> bool:
        """Whether an engine is there to draw."""
        return any(engine.is_ready for engine in self._engines)

    def drain(self) -> None:
        """Claim nothing new and finish what runs; the second time, hand back what runs."""
        self._shutdown.drain()
        self._woken.set()

    async def run(self) -> None:
        """Works until drained; nothing is left of it then. Raises BadCheckpoint if nothing can be drawn."""
        with present(self._locks, self.id):
            await self._leases.open()
            log.info("worker_started", worker=self.id)
            try:
                async with alongside(
                    *(engine.run() for engine in self._engines),
                    self._heartbeat.run(),
                    self._janitor.run(),
                    self._sweeper.run(),
                    self._hear_of_work(),
                    self._hear_of_kills(),
                    self._hear_of_watchers(),
                ):
                    await self._work()
            except TimeoutError:
                log.error("worker_left_tasks", worker=self.id, tasks=len(self._drawings))
            finally:
                remove_standing(self._locks, self.id)
                await self._leave()

    async def _work(self) -> None:
        """Claim, draw, record."""
        async with (
            asyncio.timeout(None) as limit,
            alongside(self._hand_back_when_grace_is_over(limit)),
            asyncio.TaskGroup() as drawings,
        ):
            while not self._shutdown.draining:
                self._woken.clear()
                for claimed in await self._claim():
                    drawings.create_task(self._draw(self._begin(claimed)))
                with suppress(TimeoutError):
                    async with asyncio.timeout(POLL):  # wait_for of Python 3.11 can swallow a cancellation
                        await self._woken.wait()

    async def _claim(self) -> list[Claimed]:
        """As many tasks as there are places; none while there is no engine or no database."""
        in_doubt, self._in_doubt = self._in_doubt, False
        places = sum(engine.free_places for engine in self._engines)
        urgent = sum(engine.urgent_places for engine in self._engines)
        try:
            if in_doubt:
                await self._give_back(lost=True)
            if not places + urgent:
                return []
            return await self._leases.claim(places, urgent_places=urgent, but=self._fetches.full)
        except Exception as problem:
            log.error("claim_failed", worker=self.id, problem=repr(problem)[:200])
            self._in_doubt = True
            return []

    def _begin(self, claimed: Claimed) -> Drawing:
        """The attempt, with a place on the engine that has most to spare."""
        engine = max(self._engines, key=lambda engine: engine.free_places + engine.urgent_places)
        drawing = Drawing(
            claimed,
            engine=engine,
            preparing=self._preparing,
            moderating=self._moderating,
            provenance=self._provenance,
            recording=Recording(self._database, claimed.stages[-1].lease),
            bus=self._bus,
            objects=self._objects,
            audience=self._audience,
            fetches=self._fetches,
            source_of=self._source_of,
        )
        self._drawings[drawing.lease] = drawing
        return drawing

    async def _draw(self, drawing: Drawing) -> None:
        try:
            if self._shutdown.grace_is_over:
                await drawing.interrupt(Interruption.RETURNED)
            await drawing.run()
        except LeaseLost as lost:
            log.info("lease_lost", **lost.fields)
            self._in_doubt = True
        except Exception:
            log.exception("attempt_broken", task=drawing.lease.task_id, attempt=drawing.lease.attempt)
            self._in_doubt = True
        finally:
            del self._drawings[drawing.lease]
            drawing.leave_place()

    def _show_models(self) -> None:
        models = [model for engine in self._engines for model in engine.models]
        try:
            write_standing(self._locks, self.id, models)
        except OSError as problem:  # it is only for show
            log.warning("models_not_shown", worker=self.id, problem=str(problem))

    # What others say

    async def _hear_of_work(self) -> None:
        async with self._bus.subscribe(WORK) as wakeups:
            async for _ in wakeups:
                self._woken.set()

    async def _hear_of_kills(self) -> None:
        async with self._bus.subscribe(KILL) as kills:
            async for task_id in kills:
                for lease in self._holding():
                    if str(lease.task_id).encode() == task_id:
                        await self._lose(lease)

    async def _hear_of_watchers(self) -> None:
        async with self._bus.subscribe(WATCH) as payloads:
            async for payload in payloads:
                watched = self._audience.hear(payload)
                for lease in self._holding():
                    if lease.task_id in watched and (drawing := self._drawings.get(lease)):
                        await drawing.show()

    def _holding(self) -> list[Lease]:
        return list(self._drawings)

    async def _lose(self, lease: Lease) -> None:
        if drawing := self._drawings.get(lease):
            await drawing.interrupt(Interruption.LEASE_LOST)

    # Ending

    async def _hand_back_when_grace_is_over(self, limit: asyncio.Timeout) -> None:
        await self._shutdown.until_grace_is_over()
        limit.reschedule(asyncio.get_running_loop().time() + FAREWELL)
        for drawing in list(self._drawings.values()):
            await drawing.interrupt(Interruption.RETURNED)

    async def _leave(self) -> None:
        try:
            async with asyncio.timeout(FAREWELL):
                await self._give_back(lost=False)
                await self._leases.close()
        except Exception:
            log.exception("worker_left_without_goodbye", worker=self.id)
        log.info("worker_stopped", worker=self.id)

    async def _give_back(self, *, lost: bool) -> None:
        """What the database holds for this worker, and the worker does not know of."""
        for task in await self._leases.give_back(but=frozenset(self._drawings), lost=lost):
            await tell_handed_back(self._bus, task)
