"""What a host does while it is ready: obeys commands, steps the engine, tells what happens."""

import traceback
from collections.abc import Callable

from tintype.engine.engine import BadJob, Denoised, Engine, reason_of
from tintype.engine.finishing import Finishing
from tintype.engine.log import log
from tintype.engine.pipes import Inbox
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

    def __init__(self, engine: Engine, post: Callable[[Event], None]) -> None:
        self._engine = engine
        self._post = post
        self._finishing = Finishing(engine, post)
        self._previewing = Previewing(engine, post)
        self._stopping = False

    def run(self, inbox: Inbox) -> None:
        with self._finishing, self._previewing:
            while not (self._stopping and self._engine.idle):
                for command in inbox.take(wait=self._engine.idle):
                    self._obey(command)
                for event in self._engine.step():
                    self._tell(event)

    def _obey(self, command: Command) -> None:
        match command:
            case Job():
                self._admit(command)
            case Drop(id=job_id):
                self._previewing.leave(job_id)
                if self._engine.drop(job_id) or self._finishing.drop(job_id):
                    self._post(Dropped(id=job_id))
            case Watch(id=job_id, seconds=seconds):
                self._previewing.watch(job_id, seconds)
            case Stop():
                self._stopping = True

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

    def _admit(self, job: Job) -> None:
        try:
            self._engine.admit(job)
        except Exception as error:
            if not isinstance(error, BadJob):
                log("job not admitted", job=job.id, traceback=traceback.format_exc())
            self._fail(job.id, reason_of(error))

    def _fail(self, job_id: str, reason: str) -> None:
        self._previewing.leave(job_id)
        self._post(Failed(id=job_id, reason=reason))
