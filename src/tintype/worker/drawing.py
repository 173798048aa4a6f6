"""One attempt at one task: give it to the engine, tell how it goes, record how it ends."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial

import structlog

from tintype.bus.protocol import Bus
from tintype.domain.errors import LeaseLost, UnknownModel
from tintype.domain.lifecycle import LOST_ATTEMPTS_ALLOWED, STAGES, Status
from tintype.domain.source import Source
from tintype.domain.task import Lease, Outcome, Task
from tintype.engine.protocol import Drawn, Failed, Job, Progress, Refused, Started
from tintype.moderation.refusal import Refusal
from tintype.service import now
from tintype.storage.objects import Objects
from tintype.worker import pictures
from tintype.worker.alongside import alongside, unless
from tintype.worker.audience import Audience
from tintype.worker.engine_host import EngineHost, Heard, Interruption
from tintype.worker.fetches import Fetches
from tintype.worker.leases import Claimed
from tintype.worker.moderating import Moderating, refusal_of
from tintype.worker.preparing import Prepared, Preparing, StoreUnavailable, Unfit
from tintype.worker.provenance import Provenance
from tintype.worker.recording import Move, Recording
from tintype.worker.story import Story, tell_handed_back

NOTE_EVERY = 1_000_000
"""Microseconds between two writes of progress."""

GATHER = 0.05
"""Seconds in which what follows may join a stage in its transaction: a quick task has one less."""
BEFORE_STEPS = frozenset(STAGES[: STAGES.index(Status.OUTPUT) + 1])

NO_MODEL = "The model is no longer on offer."

End = Drawn | Failed | Refused | Refusal | Interruption
"""What ends an attempt."""

log = structlog.get_logger()


class Drawing:
    """Hears of its job from the engine, and of interruptions from the worker: whichever ends it first.

    Has a place on the engine from the beginning, but for the time in which its files are fetched.
    """

    def __init__(
        self,
        claimed: Claimed,
        *,
        engine: EngineHost,
        preparing: Preparing,
        moderating: Moderating,
        provenance: Provenance,
        recording: Recording,
        bus: Bus,
        objects: Objects,
        audience: Audience,
        fetches: Fetches,
        source_of: Callable[[str], Source],
    ) -> None:
        self.engine = engine
        self.engine.take_place()
        self._has_place = True
        self._stages, self._policy = claimed
        self._task = self._stages[-1]
        self._preparing = preparing
        self._moderating = moderating
        self._provenance = provenance
        self._recording = recording
        self._bus = bus
        self._objects = objects
        self._audience = audience
        self._fetches = fetches
        self._source_of = source_of
        self._story = Story(bus, self._task)
        self._heard: asyncio.Queue[Heard | Refusal] = asyncio.Queue()
        self._interrupted = asyncio.Event()
        self._job_id = pictures.job_id(self._task)
        self._edits = False
        self._noted = 0
        self._moves: list[Move] = []
        self._due = 0.0
        self._untold: list[Progress] = []

    @property
    def lease(self) -> Lease:
        return self._task.lease

    async def interrupt(self, why: Interruption) -> None:
        """The engine leaves the job before its next step, and the drawing ends. Idempotent."""
        self._heard.put_nowait(why)
        self._interrupted.set()
        await self.engine.drop(self._job_id)

    def leave_place(self) -> None:
        """To be called when the drawing is over. Idempotent."""
        if self._has_place:
            self._has_place = False
            self.engine.leave_place()

    async def show(self) -> None:
        """The engine shows the job while somebody wants to see it."""
        if seconds := self._audience.stays(self._task.id):
            await self.engine.watch(self._job_id, seconds)

    async def run(self) -> None:
        """Returns when nothing is left to do for this attempt. Raises LeaseLost if it was no longer ours."""
        try:
            await self._story.reached(self._stages)
            job = await self._begin() if self._heard.empty() else None
            async with alongside(*([self._admit(job)] if job else [])):
                end = await self._follow()
            await self._conclude(end)
        finally:
            await self.engine.drop(self._job_id)

    async def _begin(self) -> Job | None:
        """What the engine shall draw. None if the task is refused, cannot be drawn or is interrupted: then
        that is heard."""
        try:
            source = self._source_of(self._task.model)
            prepared = await unless(self._interrupted, self._prepare())
        except UnknownModel:
            self._heard.put_nowait(Failed(id=self._job_id, reason=NO_MODEL))
            return None
        except Unfit as unfit:
            self._heard.put_nowait(Failed(id=self._job_id, reason=str(unfit)))
            return None
        except StoreUnavailable:
            self._heard.put_nowait(Interruption.RETURNED)
            return None
        if prepared is None:
            return None
        moment = now()
        if isinstance(prepared, Refusal):
            self._move((Status.PREPROCESS_END, moment))
            self._heard.put_nowait(prepared)
            return None
        self._move((Status.PREPROCESS_END, moment), (Status.ASSIGN, moment))
        self._edits = bool(prepared.images)
        screen = self._moderating.screen(prepared.inputs, self._policy)
        return pictures.job_of(
            self._task, prepared, screen=screen, source=source, metadata=self._provenance.metadata
        )

    async def _admit(self, job: Job) -> None:
        """Gives the engine the job; the last chance, as its only one, so that no other ends with it."""
        await self.show()
        last = self._task.lost_attempts == LOST_ATTEMPTS_ALLOWED - 1
        await self.engine.admit(job, self._heard.put_nowait, alone=last)

    async def _prepare(self) -> Prepared | Refusal:
        """What the engine needs, or why the prompt is refused. Raises Unfit and StoreUnavailable."""
        refusal = await self._moderating.judge(self._task.inputs, self._policy)
        if refusal:
            return refusal
        inputs = self._task.inputs
        if not self._preparing.needs_files(inputs):
            return await self._preparing.prepare(inputs)
        self.leave_place()
        prepare = partial(self._preparing.prepare, inputs)
        async with self._fetches.holding(self._task.project_id, prepare) as prepared:
            await self.engine.wait_for_place()
            self._has_place = True
            return prepared

    async def _follow(self) -> End:
        """Records and tells the steps, until something ends the attempt."""
        while True:
            match heard := await self._next():
                case Started():
                    self._move((Status.START, now()))
                case Progress():
                    self._note()
                    self._untold.append(heard)
                case None:
                    await self._tell(await self._recording.reached(self._moves))
                case _:
                    return heard

    async def _next(self) -> Heard | Refusal | None:
        """What is heard next; None as soon as what was heard should be told."""
        if not self._moves and not self._untold:
            return await self._heard.get()
        try:
            async with asyncio.timeout_at(self._due if self._moves else 0):
                return await self._heard.get()
        except TimeoutError:
            return None

    def _move(self, *moves: Move) -> None:
        """To be stored and told GATHER after the first of them, however fast more is heard."""
        if not self._moves:
            self._due = asyncio.get_running_loop().time() + GATHER
        self._moves += moves

    def _note(self) -> None:
        """Moves the task to task_output, or again to it, if it is time."""
        moment = now()
        if moment - self._noted >= NOTE_EVERY:
            self._noted = moment
            self._move((Status.OUTPUT, moment))

    async def _tell(self, stages: Sequence[Task]) -> None:
        """Tells what has been stored, and the steps with it."""
        self._moves = []
        before = [task for task in stages if task.status in BEFORE_STEPS]
        await self._story.reached(before)
        for progress in self._untold:
            await self._story.progressed(progress)
        self._untold = []
        await self._story.reached(stages[len(before) :])

    async def _conclude(self, end: End) -> None:
        match end:
            case Drawn():
                await self._record(end)
            case Failed():
                await self._finish([(Status.END, now())], pictures.failure(end.reason))
            case Refused():
                await self._refuse(refusal_of(end))
            case Refusal():
                await self._refuse(end)
            case Interruption.ENGINE_LOST | Interruption.RETURNED:
                await self._hand_back(lost=end is Interruption.ENGINE_LOST)
            case Interruption.LEASE_LOST:
                pass

    async def _refuse(self, refusal: Refusal) -> None:
        await self._finish([(Status.END, now())], pictures.failure(str(refusal)))
        found = {"stage": refusal.stage, "category": refusal.category, "score": round(refusal.score, 4)}
        log.info("task_moderated", task=self._task.id, **found)

    async def _record(self, drawn: Drawn) -> None:
        drawn_at = now()
        outcome = await self._stored(drawn, drawn_at)
        try:
            await self._finish([(Status.END, drawn_at), (Status.POSTPROCESS_START, drawn_at)], outcome)
        except LeaseLost:
            await pictures.discard(self._objects, self._recording, outcome)
            raise

    async def _stored(self, drawn: Drawn, drawn_at: int) -> Outcome:
        """The picture in the store, signed if it is to be. One that is to be signed is not stored without."""
        try:
            drawn = await self._provenance.signed(drawn, edited=self._edits)
        except Exception:
            log.exception("picture_not_signed", task=self._task.id)
            return pictures.failure("The picture could not be signed.")
        return await pictures.store(self._objects, self._recording, drawn, now=drawn_at)

    async def _finish(self, moves: list[Move], outcome: Outcome) -> None:
        await self._tell(await self._recording.finish([*self._moves, *moves], outcome))
        log.info("task_finished", task=self._task.id, attempt=self._task.attempt, exit_code=outcome.exit_code)

    async def _hand_back(self, *, lost: bool) -> None:
        task = await self._recording.hand_back(lost=lost)
        log.info("task_handed_back", task=task.id, attempt=task.attempt, lost=lost, status=task.status.value)
        await tell_handed_back(self._bus, task)
