"""Decoding and encoding beside the next steps."""

import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from tintype.engine.engine import Denoised, Engine
from tintype.engine.log import log
from tintype.engine.protocol import Event


@dataclass(frozen=True)
class Unfinished:
    """A job without its picture, and why."""

    denoised: Denoised
    error: Exception


class Finishing:
    """Pictures being decoded and encoded beside the next steps. Leaving the scope finishes them all.

    `take`, `drop`, `release` and `settle` belong to the stepping thread; `post` and `put` are called on
    another one. A job that is put is still wanted until it is released.
    """

    def __init__(
        self, engine: Engine, post: Callable[[Event], None], put: Callable[[Unfinished], None]
    ) -> None:
        self._engine = engine
        self._post = post
        self._put = put
        self._wanted: dict[str, Denoised] = {}
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="finishing")

    def __enter__(self) -> "Finishing":
        self.settle()  # its thread must be there before memory gets scarce
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.shutdown(wait=True)

    def take(self, denoised: Denoised) -> None:
        self._wanted[denoised.job.id] = denoised
        self._thread.submit(self._finish, denoised.job.id)

    def drop(self, job_id: str) -> bool:
        """Also makes `release` false."""
        return self.release(job_id)

    def release(self, job_id: str) -> bool:
        """The job is no longer being finished; False if it was not any more."""
        return self._wanted.pop(job_id, None) is not None

    def settle(self) -> None:
        """Waits until nothing is being finished."""
        self._thread.submit(lambda: None).result()

    def _finish(self, job_id: str) -> None:
        denoised = self._wanted.get(job_id)
        if denoised is None:
            return
        try:
            event = self._engine.finish(denoised)
        except Exception as error:
            log("picture not finished", job=job_id, traceback=traceback.format_exc())
            self._put(Unfinished(denoised, error.with_traceback(None)))
            return
        if self.release(job_id):
            self._post(event)
