"""Previews of watched jobs, made beside the next steps."""

import math
import threading
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from msgspec.structs import replace

from tintype.engine.engine import Engine
from tintype.engine.log import log
from tintype.engine.protocol import Event, Progress

PACE = 0.5
"""Seconds between two previews of a job at least, however long they take and however often it is watched."""
LONGEST_WATCH = 600.0
REST = 4.0
"""After a preview, no other is made for so many times as long as it took: whatever a checkpoint's
previews cost, and however many jobs are watched, they take a fifth of one thread's time at most."""


@dataclass(slots=True, eq=False)
class _Watch:
    until: float
    due: float = 0.0
    latest: Progress | None = None


class Previewing:
    """Tells progress, and shows what is watched. One preview is made at a time; others are left out.

    `tell`, `watch` and `leave` belong to the stepping thread. Leaving the scope waits for the preview
    that is being made.
    """

    def __init__(self, engine: Engine, post: Callable[[Event], None]) -> None:
        self._engine = engine
        self._post = post
        self._watched: dict[str, _Watch] = {}
        self._rested = 0.0
        self._lock = threading.Lock()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="previewing")

    def __enter__(self) -> "Previewing":
        self.settle()  # its thread must be there before memory gets scarce
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.shutdown(wait=True)

    def watch(self, job_id: str, seconds: float) -> None:
        now = time.monotonic()
        with self._lock:
            known = self._watched.get(job_id) or _Watch(until=0.0)
            known.until = now + min(seconds, LONGEST_WATCH)
            self._watched[job_id] = known
            # Whoever ends a watch and begins another is shown no more for it.
            self._watched = {
                key: watch for key, watch in self._watched.items() if max(watch.until, watch.due) > now
            }

    def settle(self) -> None:
        """Waits until no preview is being made."""
        self._thread.submit(lambda: None).result()

    def tell(self, progress: Progress) -> None:
        """Post it; if its job is watched and a preview is due, that comes with it or after it."""
        preview = self._sketch(progress.id) if self._is_due(progress.id) else None
        with self._lock:
            if watch := self._watched.get(progress.id):
                watch.latest = progress
            self._post(replace(progress, preview=preview) if isinstance(preview, bytes) else progress)
        if callable(preview):
            self._rested = math.inf
            self._thread.submit(self._make, progress.id, preview)

    def leave(self, job_id: str) -> None:
        """Nothing more is said of the job."""
        with self._lock:
            self._watched.pop(job_id, None)

    def _is_due(self, job_id: str) -> bool:
        watch, now = self._watched.get(job_id), time.monotonic()
        if watch is None or not watch.due <= now < watch.until or now < self._rested:
            return False
        watch.due = now + PACE
        return True

    def _sketch(self, job_id: str) -> bytes | Callable[[], bytes | None] | None:
        try:
            return self._engine.sketch(job_id)
        except Exception:
            log("no preview", job=job_id, traceback=traceback.format_exc())
            return None

    def _make(self, job_id: str, draw: Callable[[], bytes | None]) -> None:
        begun = time.monotonic()
        try:
            preview = draw()
            with self._lock:
                watch = self._watched.get(job_id)
                if preview is not None and watch is not None and watch.latest is not None:
                    watch.due = max(
                        watch.due, time.monotonic() + PACE
                    )  # one that took long is not hurried after
                    self._post(replace(watch.latest, preview=preview))
        except Exception:
            log("no preview", job=job_id, traceback=traceback.format_exc())
        finally:
            now = time.monotonic()
            self._rested = now + REST * (now - begun)
