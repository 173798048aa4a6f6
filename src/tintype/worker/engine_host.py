"""One engine, kept alive: starts its host, hears what it says, and starts it again when it dies."""

import asyncio
import math
from collections import deque
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, suppress
from enum import StrEnum

import structlog

from tintype.domain.errors import BadCheckpoint
from tintype.domain.source import Source
from tintype.engine.frames import FrameError
from tintype.engine.process import HostDied, HostNotReady, HostProcess
from tintype.engine.protocol import (
    Drawn,
    Drop,
    Dropped,
    Event,
    Failed,
    Job,
    Memory,
    Progress,
    Refused,
    Shelved,
    Started,
)
from tintype.worker.alongside import alongside
from tintype.worker.company import Company
from tintype.worker.recycling import NO_LIMITS, MemoryLimits

LONGEST_PAUSE = 30.0
STEADY = 60.0
"""Seconds of life after which a death counts as the first again."""

log = structlog.get_logger()


class Interruption(StrEnum):
    """Why a job ends without the engine saying so."""

    LEASE_LOST = "lease_lost"
    """The task was killed, or given to another worker: nothing is left to record."""
    ENGINE_LOST = "engine_lost"
    """The host died with the job: the attempt is lost."""
    RETURNED = "returned"
    """The worker stops, or has no engine: the task goes back, the attempt is not counted."""


Heard = Started | Progress | Drawn | Failed | Refused | Interruption
Listener = Callable[[Heard], None]


class EngineHost:
    """Takes jobs while a host lives, and tells each job's listener what becomes of it.

    A listener hears `Drawn`, `Failed`, `Refused` or an interruption last; once its job is dropped it hears
    nothing.
    A host that has jobs and says nothing for `longest_silence` seconds hangs, and is killed. One that holds
    more memory than `limits` say is replaced as soon as its jobs have ended; new ones wait meanwhile.
    """

    def __init__(
        self,
        *,
        start: Callable[[], AbstractAsyncContextManager[HostProcess]],
        first_pause: float = 0.5,
        longest_silence: float = 900.0,
        limits: MemoryLimits = NO_LIMITS,
    ) -> None:
        self._start = start
        self._first_pause = first_pause
        self._longest_silence = longest_silence
        self._limits = limits
        self._recycled = -math.inf
        self._outgrown = asyncio.Event()
        self._company = Company()
        self._host: HostProcess | None = None
        self._has_served = False
        self._taken = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._listeners: dict[str, Listener] = {}
        self._watchdog: asyncio.TimerHandle | None = None
        self._models: dict[Source, Shelved] = {}
        self.on_free: Callable[[], None] = lambda: None
        """Called when there may be more free places than before."""
        self.on_models: Callable[[], None] = lambda: None
        """Called when `models` has changed."""

    @property
    def is_ready(self) -> bool:
        """Whether a host is there."""
        return self._host is not None

    @property
    def models(self) -> list[Shelved]:
        """What was last heard of each model that the host has, or had."""
        return list(self._models.values())

    @property
    def free_places(self) -> int:
        """How many more tasks the engine wants now; 0 while there is no host, or none that takes jobs."""
        if self._host is None or not self._company.is_open:
            return 0
        return max(0, self._host.ready.places - self._taken)

    @property
    def urgent_places(self) -> int:
        """How many tasks of high priority it takes beyond the free places: a quarter more than it wants, so
        that they need not wait for others' tasks to end."""
        if self._host is None or not self._company.is_open:
            return 0
        wanted = self._host.ready.places
        return max(0, min(wanted - self._taken, 0) + -(-wanted // 4))

    def take_place(self) -> None:
        """To be given back with `leave_place`."""
        self._taken += 1

    def leave_place(self) -> None:
        self._taken -= 1
        self._offer_places()

    async def wait_for_place(self) -> None:
        """Takes a place, as soon as there is one; who waits comes before who does not.

        Without a host it is there at once, so that nobody waits for an engine that may not come back.
        """
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        self._offer_places()
        try:
            await place
        except asyncio.CancelledError:
            if not place.cancelled():  # it was given just before
                self.leave_place()
            raise

    def _offer_places(self) -> None:
        while self._waiting and (self.free_places or not self._host):
            place = self._waiting.popleft()
            if not place.done():
                self.take_place()
                place.set_result(None)
        self.on_free()

    async def admit(self, job: Job, listener: Listener, *, alone: bool = False) -> None:
        """Gives the host the job, in its turn: `alone`, when the host has no other, and then it gets none.

        Returns when it has been given, or has been dropped before.
        """
        if not await self._company.enter(job.id, alone=alone):
            return
        if self._host is None:
            self._company.leave(job.id)
            listener(Interruption.RETURNED)
            return
        self._listeners[job.id] = listener
        self._watch()
        try:
            await self._host.send(job)
        except HostDied:  # `run` hears of it too, and tells the listeners
            pass
        except FrameError as error:
            self._hear(Failed(id=job.id, reason=f"The job cannot be given to the engine: {error}"))

    async def watch(self, job_id: str, seconds: float) -> None:
        """For so long, the job's `Progress` carries previews. May come before the job is admitted."""
        if self._host is not None:
            with suppress(HostDied):
                await self._host.watch(job_id, seconds)

    async def drop(self, job_id: str) -> None:
        """The job leaves the engine before its next step. Idempotent."""
        self._company.give_up(job_id)
        if self._listeners.pop(job_id, None) is None or self._host is None:
            return
        with suppress(HostDied):
            await self._host.send(Drop(id=job_id))

    async def run(self) -> None:
        """Keeps a host alive for ever. Raises BadCheckpoint if not even the first can serve."""
        clock = asyncio.get_running_loop().time
        pause = self._first_pause
        while True:
            started = clock()
            try:
                await self._live()
                continue
            except BadCheckpoint as problem:
                if not self._has_served:
                    raise
                log.error("engine_broken", problem=str(problem), retry_after=pause)
            except (HostDied, HostNotReady, OSError) as problem:
                log.error("engine_lost", problem=str(problem), retry_after=pause)
            self._company.open()  # whoever waits, learns that there is no host
            if clock() - started > STEADY:
                pause = self._first_pause
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _live(self) -> None:
        """The life of one host. Returns when it was replaced."""
        async with self._start() as host:
            self._host, self._has_served = host, True
            self._stands(Shelved(source=Source(), state="loaded", bytes=host.ready.bytes))
            self._outgrown.clear()
            self._company.open()
            log.info("engine_ready", checkpoint=host.ready.checkpoint, device=host.ready.device)
            self._offer_places()
            try:
                async with alongside(self._replace_when_outgrown(host)):
                    async for event in host.events():
                        self._hear(event)
                        self._watch()
            finally:
                self._watch(stop=True)
                self._host = None
                self._models.clear()
                self.on_models()
                orphans, self._listeners = self._listeners, {}
                for listener in orphans.values():
                    listener(Interruption.ENGINE_LOST)
                self._offer_places()

    async def _replace_when_outgrown(self, host: HostProcess) -> None:
        await self._outgrown.wait()
        self._company.close()
        await self._company.until_empty()
        self._recycled = asyncio.get_running_loop().time()
        with suppress(HostDied):  # `_live` hears of it too
            await host.stop()
            self._watch()

    def _watch(self, *, stop: bool = False) -> None:
        """Starts to wait for the host's next word, if it owes one."""
        if self._watchdog:
            self._watchdog.cancel()
            self._watchdog = None
        owes = not self._company.is_empty or self._outgrown.is_set()
        if owes and self._host and not stop:
            loop = asyncio.get_running_loop()
            self._watchdog = loop.call_later(self._longest_silence, self._host.kill)

    def _stands(self, model: Shelved) -> None:
        self._models[model.source] = model
        known = {"bytes": model.bytes, "problem": model.problem}
        told = {name: value for name, value in known.items() if value}
        log.info("model_standing", model=model.source.name, state=model.state, **told)
        self.on_models()

    def _hear(self, event: Event) -> None:
        match event:
            case Started() | Progress():
                if listener := self._listeners.get(event.id):
                    listener(event)
            case Drawn() | Failed() | Refused():
                self._company.leave(event.id)
                if listener := self._listeners.pop(event.id, None):
                    listener(event)
            case Dropped():
                self._company.leave(event.id)
            case Memory():
                self._weigh(event)
            case Shelved():
                self._stands(event)
            case _:  # Ready is known
                pass

    def _weigh(self, held: Memory) -> None:
        young = asyncio.get_running_loop().time() - self._recycled < self._limits.pause
        if self._outgrown.is_set() or young or not self._limits.exceeded_by(held):
            return
        log.warning("engine_outgrown", memory=held.main, device_memory=held.device, **self._limits.fields)
        self._outgrown.set()
