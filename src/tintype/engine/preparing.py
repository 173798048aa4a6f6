"""Encoding prompts, and reading and encoding reference pictures, beside the steps."""

import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from msgspec.structs import replace

from tintype.engine.engine import BadJob, Engine, References
from tintype.engine.log import log
from tintype.engine.protocol import Job


@dataclass(frozen=True)
class Prepared:
    """A job, now without its pictures, and what they have become; or still with them, and why they cannot
    be used."""

    job: Job
    references: References | Exception


class Preparing:
    """Jobs that are made ready, one after another; those with pictures apart, so that nobody else waits
    for pictures to be read.

    `take`, `drop` and `release` belong to the stepping thread; `put` is called on another one.
    """

    def __init__(self, engine: Engine, put: Callable[[Prepared], None]) -> None:
        self._engine = engine
        self._put = put
        self._wanted: set[str] = set()
        self._prompts = ThreadPoolExecutor(max_workers=1, thread_name_prefix="prompts")
        self._pictures = ThreadPoolExecutor(max_workers=1, thread_name_prefix="pictures")

    def __enter__(self) -> "Preparing":
        self.settle()  # its threads must be there before memory gets scarce
        return self

    def __exit__(self, *_: object) -> None:
        self._prompts.shutdown(wait=True)
        self._pictures.shutdown(wait=True)

    @property
    def idle(self) -> bool:
        return not self._wanted

    def take(self, job: Job) -> None:
        if job.id not in self._wanted:
            self._wanted.add(job.id)
            thread = self._pictures if job.images else self._prompts
            thread.submit(self._prepare, job)

    def drop(self, job_id: str) -> bool:
        """Also makes `release` false."""
        return self.release(job_id)

    def release(self, job_id: str) -> bool:
        """The job is no longer being prepared; False if it was not any more."""
        wanted = job_id in self._wanted
        self._wanted.discard(job_id)
        return wanted

    def settle(self) -> None:
        """Waits until nothing is being prepared."""
        for thread in (self._prompts, self._pictures):
            thread.submit(lambda: None).result()

    def _prepare(self, job: Job) -> None:
        if job.id not in self._wanted:
            return
        try:
            references = self._engine.prepare(job)
        except Exception as error:
            if not isinstance(error, BadJob):
                log("job not prepared", job=job.id, traceback=traceback.format_exc())
            self._put(Prepared(job=job, references=error.with_traceback(None)))
            return
        self._put(Prepared(job=replace(job, images=()), references=references))
