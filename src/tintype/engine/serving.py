"""What a host does while it is ready: obeys commands, steps the engine, tells what happens."""

import traceback
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from msgspec.structs import replace

from tintype.engine.engine import (
    NO_REFERENCES,
    BadJob,
    Denoised,
    PictureRefused,
    References,
    is_device_lost,
    is_out_of_memory,
    reason_of,
)
from tintype.engine.finishing import Finishing, Unfinished
from tintype.engine.gauge import Gauge
from tintype.engine.loading import Ended, News
from tintype.engine.log import log
from tintype.engine.models import Models
from tintype.engine.pipes import Inbox, Inner
from tintype.engine.preparing import Prepared, Preparing
from tintype.engine.previewing import Previewing
from tintype.engine.protocol import (
    Command,
    Drop,
    Dropped,
    Event,
    Failed,
    Job,
    JobEvent,
    Progress,
    Stop,
    Watch,
)

T = TypeVar("T")


class Serving:
    """Draws what comes, until a `Stop` came and everything admitted has left."""

    def __init__(self, models: Models, inbox: Inbox) -> None:
        self._engine = engine = models
        self._inbox = inbox
        self._post: Callable[[Event], None] = models.tell
        self._preparing = Preparing(engine, inbox.put)
        self._finishing = Finishing(engine, models.tell, inbox.put)
        self._previewing = Previewing(engine, models.tell)
        self._gauge = Gauge(engine, models.tell)
        self._stopping = False
        engine.make_room = self._rest

    def run(self) -> None:
        """Raises what the device raised, if it is lost: then no job could be drawn any more."""
        with self._preparing, self._finishing, self._previewing:
            while not (self._stopping and self._is_done()):
                for message in self._inbox.take(wait=self._engine.idle):
                    self._obey(message)
                for job in self._engine.admitted():
                    self._take(job)
                for event in self._engine.step():
                    self._tell(event)
                self._gauge.tell()

    def _is_done(self) -> bool:
        if not (self._engine.idle and self._engine.settled and self._preparing.idle):
            return False
        self._finishing.settle()
        return self._inbox.is_empty  # what could not be finished is there again

    def _obey(self, message: Command | Inner) -> None:
        match message:
            case Job():
                self._engine.wait(message)
            case News() | Ended():
                self._engine.heed(message)
            case Drop(id=job_id):
                self._previewing.leave(job_id)
                if any(room.drop(job_id) for room in (self._preparing, self._engine, self._finishing)):
                    self._post(Dropped(id=job_id))
            case Watch(id=job_id, seconds=seconds):
                self._previewing.watch(job_id, seconds)
            case Stop():
                self._stopping = True
            case Prepared() if self._preparing.release(message.job.id):
                self._take_prepared(message)
            case Unfinished() if self._finishing.release(message.denoised.job.id):
                self._finish_again(message)

    def _take(self, job: Job) -> None:
        if self._engine.is_prepared(job):
            self._admit(job, NO_REFERENCES)
        else:
            self._preparing.take(job)

    def _tell(self, event: JobEvent | Denoised) -> None:
        match event:
            case Progress():
                self._previewing.tell(event)
            case Denoised():
                self._previewing.leave(event.job.id)
                self._finishing.take(event)
            case Failed():
                self._fail(event.id, event.reason)
            case _:
                self._post(event)

    def _admit(self, job: Job, references: References) -> None:
        admit = partial(self._engine.admit, job, references)
        try:
            try:
                admit()
            except Exception as error:
                self._again(admit, error)
        except Exception as error:
            if not isinstance(error, BadJob):
                log("job not admitted", job=job.id, traceback=traceback.format_exc())
            self._fail_with(job.id, error)

    def _take_prepared(self, prepared: Prepared) -> None:
        job, references = prepared.job, prepared.references
        try:
            if isinstance(references, Exception):
                references = self._again(partial(self._engine.prepare, job), references)
        except PictureRefused as refusal:
            self._previewing.leave(job.id)
            self._post(refusal.refused)
        except Exception as error:
            self._fail_with(job.id, error)
        else:
            self._admit(replace(job, images=()), references)

    def _finish_again(self, unfinished: Unfinished) -> None:
        denoised = unfinished.denoised
        try:
            event = self._again(partial(self._engine.finish, denoised), unfinished.error)
        except Exception as error:
            self._fail_with(denoised.job.id, error)
        else:
            self._post(event)

    def _again(self, work: Callable[[], T], error: Exception) -> T:
        """What the work gives when nothing runs beside it. Raises the error, if that will not help."""
        if not is_out_of_memory(error):
            raise error
        error.with_traceback(None)  # it holds what was in memory
        log("tried again alone", error=repr(error))
        self._rest()
        self._engine.free_memory()
        return work()

    def _rest(self) -> None:
        """Waits until only this thread works."""
        for room in (self._preparing, self._finishing, self._previewing):
            room.settle()

    def _fail_with(self, job_id: str, error: Exception) -> None:
        if is_device_lost(error):
            raise error
        self._fail(job_id, reason_of(error))

    def _fail(self, job_id: str, reason: str) -> None:
        self._previewing.leave(job_id)
        self._post(Failed(id=job_id, reason=reason))
