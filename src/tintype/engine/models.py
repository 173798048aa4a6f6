"""Any number of models on one device, as one engine: loaded when a job needs them, evicted when others need
the room.

A model that jobs use stays. One that does not fit beside it waits until it is unused; and when that takes too
long, the one in the way gets no new jobs until the other has had its turn. Knows sources and engines, nothing
of tensors.
"""

import time
from collections.abc import Callable, Sequence
from typing import Self

from msgspec.structs import replace

from tintype.domain.source import Source
from tintype.engine.engine import NO_REFERENCES, Denoised, Engine, References, is_out_of_memory, problem_of
from tintype.engine.loading import Ended, Install, Loader, Loading, News, TooLargeForBudget, told
from tintype.engine.log import log
from tintype.engine.protocol import (
    Drawn,
    Dropped,
    Event,
    Failed,
    Job,
    JobEvent,
    ModelState,
    Ready,
    Refused,
    Shelved,
)
from tintype.engine.shelf import Shelf
from tintype.engine.turns import Turns
from tintype.engine.waiting import Waiting

FORGIVEN = 15.0
"""Seconds for which a model that could not be loaded is not tried again."""


class Models:
    """Implements `tintype.engine.engine.Engine`; beside it, `wait` and `admitted` are the way in.

    `tell`, `prepare` and `finish` may be called on other threads, all else belongs to the thread that steps.
    """

    def __init__(
        self,
        first: Engine,
        *,
        weights: str,
        loader: Loader,
        budget: int,
        patience: float,
        post: Callable[[Event], None],
        put: Callable[[News | Ended], None],
    ) -> None:
        """`first` is there already: `weights`, as `Source()`. `patience` is in seconds, `budget` in bytes.

        Raises `TooLargeForBudget`.
        """
        self.make_room: Callable[[], None] = lambda: None
        self._weights = weights
        self._engines: dict[Source, Engine] = {}
        self._loader = loader
        self._loading = Loading(loader, put)
        self._patience = patience
        self._post = post
        self._put = put
        self._shelf = Shelf(budget=budget)
        self._waiting = Waiting()
        self._turns: Turns[Source] = Turns()
        self._jobs: dict[str, Job] = {}
        self._sizes: dict[Source, int] = {}
        self._failures: dict[Source, tuple[float, str]] = {}
        self._closed: set[Source] = set()
        self._place(Source(), first)
        self._ready = replace(first.ready(), bytes=self._shelf.bytes)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._loading.__exit__()

    # The way in

    @property
    def settled(self) -> bool:
        """Nobody waits for a model."""
        return not self._waiting

    def wait(self, job: Job) -> None:
        """The job is named by `admitted` as soon as its model is there, or fails."""
        for source in (job.source, job.source.base):
            moment, reason = self._failures.get(source, (-FORGIVEN, ""))
            if time.monotonic() - moment < FORGIVEN and source not in self._engines:
                self._post(Failed(id=job.id, reason=reason))
                return
        self._waiting.add(job, now=time.monotonic())

    def admitted(self) -> list[Job]:
        """The jobs that wait no longer. To be called often: also moves what is being loaded along."""
        if self.settled:
            return []
        jobs = self._let_in()
        self._bring()
        return [*jobs, *self._let_in()]

    def heed(self, news: News | Ended) -> None:
        """What was `put`."""
        if isinstance(news, Ended):
            self._jobs.pop(news.job_id, None)
            self._shelf.leave(news.job_id)
            return
        self._loading.over()
        if isinstance(news.outcome, int):
            self._sizes[news.source] = news.outcome
        elif isinstance(news.outcome, Exception):
            self._failed(news.source, news.outcome)
        else:
            self._install(news.source, news.outcome)

    def tell(self, event: Event) -> None:
        """Post it; a job that has ended with it uses its model no more."""
        self._post(event)
        if isinstance(event, Drawn | Failed | Refused | Dropped):
            self._put(Ended(event.id))

    # Drawing

    def ready(self) -> Ready:
        return self._ready

    @property
    def idle(self) -> bool:
        return all(engine.idle for engine in self._engines.values())

    def is_prepared(self, job: Job) -> bool:
        return self._engines[job.source].is_prepared(job)

    def prepare(self, job: Job) -> References:
        return self._engines[job.source].prepare(job)

    def admit(self, job: Job, references: References = NO_REFERENCES) -> None:
        self._engines[job.source].admit(job, references)

    def step(self) -> Sequence[JobEvent | Denoised]:
        busy = {source: self._weight(source) for source, engine in self._engines.items() if not engine.idle}
        if not busy:
            return ()
        source = self._turns.next(busy)
        begun = time.monotonic()
        events = self._engines[source].step()
        self._turns.charge(source, time.monotonic() - begun, weight=busy[source])
        return events

    def drop(self, job_id: str) -> bool:
        job = self._jobs.get(job_id)
        return self._waiting.drop(job_id) or (job is not None and self._engines[job.source].drop(job_id))

    def sketch(self, job_id: str) -> bytes | Callable[[], bytes | None] | None:
        job = self._jobs.get(job_id)
        return self._engines[job.source].sketch(job_id) if job else None

    def finish(self, denoised: Denoised) -> Drawn | Failed | Refused:
        return self._engines[denoised.job.source].finish(denoised)

    def free_memory(self) -> None:
        for engine in self._engines.values():
            engine.free_memory()

    def device_memory(self) -> int:
        return max((engine.device_memory() for engine in self._engines.values()), default=0)

    def _weight(self, source: Source) -> float:
        """Of all who wait for it, each counted once."""
        shares = {job.share: job.weight for job in self._jobs.values() if job.source == source}
        return sum(shares.values()) or 1.0

    # Memory

    def _let_in(self) -> list[Job]:
        now = time.monotonic()
        sources = [source for source in self._waiting.first_of_each() if source in self._engines]
        jobs = [job for source in sources if self._is_open(source) for job in self._waiting.release(source)]
        for job in jobs:
            self._jobs[job.id] = job
            self._shelf.use(job.source, job.id, now=now)
        return jobs

    def _is_open(self, source: Source) -> bool:
        return self._closed.isdisjoint((source, source.base))

    def _bring(self) -> None:
        """Begin to load what is waited for the longest, if there is room or room can be made."""
        now = time.monotonic()
        self._closed = set()
        for source, since in self._waiting.first_of_each().items():
            wanted = source if source.base in self._engines else source.base
            if wanted in self._engines:
                continue
            size = self._sizes.get(wanted)
            if size is None:
                self._measure(wanted)
                continue
            if not self._shelf.fits_alone(wanted, size):
                self._failed(wanted, self._too_large(wanted, size))
                continue
            unused, used = self._shelf.room_for(wanted, size)
            if not used:
                self._load(wanted, evicting=unused)
            elif now - max(since, *map(self._shelf.loaded, used)) > self._patience:
                self._closed.update(used)
                return

    def _measure(self, source: Source) -> None:
        if self._loading.under_way is None:
            self._tell_state(source, "loading")
            self._loading.measure(source)

    def _load(self, source: Source, *, evicting: Sequence[Source]) -> None:
        if self._loading.under_way is not None or not self._is_open(source.base):
            return
        for each in evicting:
            self._evict(each)
        log("model loading", model=source.name, bytes=self._sizes[source])
        self._tell_state(source, "loading", self._sizes[source])
        self._loading.load(source, self._engines.get(source.base))

    def _install(self, source: Source, install: Install) -> None:
        try:
            engine = install()
            self._place(source, engine)
        except Exception as error:
            self._failed(source, error)
            return
        self._tell_state(source, "loaded", self._sizes[source])
        for each in self._shelf.room_for(source, 0)[0]:
            self._evict(each)

    def _place(self, source: Source, engine: Engine) -> None:
        """Raises `TooLargeForBudget`."""
        size = self._loader.weigh(engine)
        if not self._shelf.fits_alone(source, size):
            self._loader.unload()
            raise self._too_large(source, size)
        engine.make_room = lambda: self.make_room()
        self._engines[source] = engine
        self._sizes[source] = size
        self._shelf.put(source, size, now=time.monotonic())
        self._failures.pop(source, None)
        log("model loaded", model=source.name, bytes=size)

    def _too_large(self, source: Source, size: int) -> TooLargeForBudget:
        path = source.lora or source.weights or self._weights
        return TooLargeForBudget(path, size=size, budget=self._shelf.budget)

    def _evict(self, source: Source) -> None:
        self._shelf.remove(source)
        del self._engines[source]
        self._loader.unload()
        log("model evicted", model=source.name)
        self._tell_state(source, "evicted")

    def _failed(self, source: Source, error: Exception) -> None:
        """Whoever waits for it fails; nobody else does."""
        self._sizes.pop(source, None)
        if is_out_of_memory(error) and self._make_all_room(source):
            return
        reason = told(error)
        log("model failed", model=source.name, problem=problem_of(error))
        self._failures[source] = (time.monotonic(), reason)
        self._tell_state(source, "failed", problem=problem_of(error))
        for waiting in list(self._waiting.first_of_each()):
            if source in (waiting, waiting.base):
                for job in self._waiting.release(waiting):
                    self._post(Failed(id=job.id, reason=reason))

    def _make_all_room(self, source: Source) -> bool:
        """Evicts what can be; whether that was anything, so that loading may be tried again."""
        unused, _ = self._shelf.room_for(source, self._shelf.budget)
        for each in unused:
            self._evict(each)
        return bool(unused)

    def _tell_state(self, source: Source, state: ModelState, size: int = 0, *, problem: str = "") -> None:
        self._post(Shelved(source=source, state=state, bytes=size, problem=problem))
