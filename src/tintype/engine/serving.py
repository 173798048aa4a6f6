"""What a host does while it is ready: obeys commands, steps the engine, tells what happens."""

import traceback
from collections.abc import Callable

from tintype.engine.engine import (
    NO_REFERENCES,
    BadJob,
    Denoised,
    PictureRefused,
    References,
    reason_of,
)
from tintype.engine.finishing import Finishing
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


class Serving:
    """Draws what comes, until a `Stop` came and everything admitted has left."""

    def __init__(self, models: Models, inbox: Inbox) -> None:
        self._engine = engine = models
        self._inbox = inbox
        self._post: Callable[[Event], None] = models.tell
        self._preparing = Preparing(engine, inbox.put)
        self._finishing = Finishing(engine, models.tell)
        self._previewing = Previewing(engine, models.tell)
        self._stopping = False

    def run(self) -> None:
        with self._preparing, self._finishing, self._previewing:
            while not (self._stopping and self._is_done):
                for command in self._inbox.take(wait=self._engine.idle):
                    self._obey(command)
                for job in self._engine.admitted():
                    self._take(job)
                for event in self._engine.step():
                    self._tell(event)

    @property
    def _is_done(self) -> bool:
        return self._engine.idle and self._engine.settled and self._preparing.idle

    def _obey(self, command: Command | Inner) -> None:
        match command:
            case Job():
                self._engine.wait(command)
            case News() | Ended():
                self._engine.heed(command)
            case Prepared(job=job, references=references):
                if self._preparing.release(job.id):
                    self._admit(job, references)
            case Drop(id=job_id):
                self._previewing.leave(job_id)
                if any(room.drop(job_id) for room in (self._preparing, self._engine, self._finishing)):
                    self._post(Dropped(id=job_id))
            case Watch(id=job_id, seconds=seconds):
                self._previewing.watch(job_id, seconds)
            case Stop():
                self._stopping = True

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

    def _admit(self, job: Job, references: References | Exception) -> None:
        if isinstance(references, PictureRefused):
            self._previewing.leave(job.id)
            self._post(references.refused)
            return
        if isinstance(references, Exception):
            self._fail(job.id, reason_of(references))
            return
        try:
            self._engine.admit(job, references)
        except Exception as error:
            if not isinstance(error, BadJob):
                log("job not admitted", job=job.id, traceback=traceback.format_exc())
            self._fail(job.id, reason_of(error))

    def _fail(self, job_id: str, reason: str) -> None:
        self._previewing.leave(job_id)
        self._post(Failed(id=job_id, reason=reason))
