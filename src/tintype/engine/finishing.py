"""Decoding and encoding beside the next steps."""

import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from tintype.engine.engine import Denoised, Engine, reason_of
from tintype.engine.log import log
from tintype.engine.protocol import Event, Failed


class Finishing:
    """Pictures being decoded and encoded beside the next steps. Leaving the scope finishes them all."""

    def __init__(self, engine: Engine, post: Callable[[Event], None]) -> None:
        self._engine = engine
        self._post = post
        self._wanted: dict[str, Denoised] = {}
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="finishing")

    def __enter__(self) -> "Finishing":
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.shutdown(wait=True)

    def take(self, denoised: Denoised) -> None:
        self._wanted[denoised.job.id] = denoised
        self._thread.submit(self._finish, denoised.job.id)

    def drop(self, job_id: str) -> bool:
        return self._wanted.pop(job_id, None) is not None

    def _finish(self, job_id: str) -> None:
        denoised = self._wanted.get(job_id)
        if denoised is None:
            return
        event: Event
        try:
            event = self._engine.finish(denoised)
        except Exception as error:
            log("picture not finished", job=job_id, traceback=traceback.format_exc())
            event = Failed(id=job_id, reason=reason_of(error))
        if self._wanted.pop(job_id, None) is not None:
            self._post(event)
