"""Drawing with a FLUX.2 checkpoint: step-level continuous batching.

Jobs of one layout (of canvas and reference pictures) share forward passes whatever their prompts, seeds,
guidance, number of steps and progress; they join and leave between steps.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import msgspec
import torch

from tintype.engine.allocator import give_back
from tintype.engine.engine import (
    NO_NUMBERS,
    NO_REFERENCES,
    BadJob,
    Denoised,
    References,
    check,
    is_out_of_memory,
    reason_of,
)
from tintype.engine.flux2.admission import Admission
from tintype.engine.flux2.beside import Beside
from tintype.engine.flux2.checkpoint import Checkpoint
from tintype.engine.flux2.memory import (
    UNBOUNDED,
    TooLarge,
    TooLargeEver,
    reserved_memory,
)
from tintype.engine.flux2.pictures import Pictures
from tintype.engine.flux2.runs import Run, Waiting, run_of, waiting_of
from tintype.engine.flux2.schedule import Schedule
from tintype.engine.flux2.steps import Steps
from tintype.engine.images.metadata import digests_of
from tintype.engine.log import log
from tintype.engine.protocol import Drawn, Failed, Job, JobEvent, Progress, Ready, Refused, Started
from tintype.engine.screening import Screening

PATIENCE = 0.05
"""Seconds that a step may wait for memory, before commands are heard again."""


class Flux2Engine:
    """Implements `tintype.engine.engine.Engine`."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        *,
        places: int,
        max_rows: int,
        max_tokens: int,
        versions: Mapping[str, str],
        screening: Screening,
        memory: int = UNBOUNDED,
    ) -> None:
        """A forward pass has at most `max_rows` rows, and at most `max_tokens` tokens, if it can.

        Jobs take part while they fit into `memory` together, in bytes beside the weights; others wait.
        """
        self._checkpoint = checkpoint
        self._places = places
        self._versions = dict(versions)
        self._screening = screening
        self.make_room: Callable[[], None] = lambda: None
        self._runs: dict[str, Run] = {}
        self._needs = checkpoint.needs
        self._admission = Admission(memory, largest_step=self._needs.step(max_tokens))
        self._waiting: dict[str, Waiting] = {}
        self._shut_out: dict[str, Exception] = {}
        self._finished: deque[str] = deque()
        self._has_finished = threading.Event()
        self._beside = Beside(checkpoint.device, threads=checkpoint.threads)
        self._schedule = Schedule()
        self._steps = Steps(checkpoint, max_rows=max_rows, max_tokens=max_tokens, make_room=self._make_room)
        self._pictures = Pictures(
            checkpoint, beside=self._beside, screening=screening, versions=self._versions
        )

    @property
    def checkpoint(self) -> Checkpoint:
        return self._checkpoint

    def of(self, checkpoint: Checkpoint) -> "Flux2Engine":
        """Another engine, under the same limits, for the same device."""
        return Flux2Engine(
            checkpoint,
            places=self._places,
            max_rows=self._steps.max_rows,
            max_tokens=self._steps.max_tokens,
            versions=self._versions,
            screening=self._screening,
            memory=self._admission.budget,
        )

    def ready(self) -> Ready:
        return Ready(
            checkpoint=self._checkpoint.name,
            fingerprint=self._checkpoint.fingerprint,
            device=str(self._checkpoint.device),
            places=self._places,
            versions=self._versions,
            arithmetic=self._checkpoint.arithmetic,
            edits=self._checkpoint.most_references > 0,
        )

    @property
    def idle(self) -> bool:
        return not (self._runs or self._waiting or self._shut_out)

    def is_prepared(self, job: Job) -> bool:
        return not job.images and self._checkpoint.text.known(job.prompt) is not None

    def prepare(self, job: Job) -> References:
        check(job)
        most = self._checkpoint.most_references
        if job.images and not most:
            name = self._checkpoint.name
            raise BadJob(f"This checkpoint cannot edit pictures: {name} draws from the prompt alone.")
        if len(job.images) > most:
            raise BadJob(f"{len(job.images)} reference pictures, but this checkpoint takes {most} at most")
        digests = digests_of(job)
        self._screening.demand(job, digests)
        with self._beside.steps():
            self._checkpoint.text.embed(job.prompt)
            return References(digests, encoded=self._checkpoint.references.encode(job.images, digests))

    def admit(self, job: Job, references: References = NO_REFERENCES) -> None:
        check(job)
        if job.id in self._runs or job.id in self._waiting:
            return
        job = msgspec.structs.replace(job, **self._checkpoint.fixed.given())
        if job.images:
            references = self.prepare(job)
        waiting = waiting_of(job, references, self._checkpoint)
        need = self._needs.of(waiting.layout, rows=waiting.rows)
        if not self._admission.can_ever_fit(need):
            raise TooLargeEver(self._admission.bytes_of([need]), self._admission.budget)
        self._waiting[job.id] = waiting
        self._admission.wait(job.id, need, job.priority)
        self._let_in()
        if problem := self._shut_out.pop(job.id, None):
            raise problem

    def drop(self, job_id: str) -> bool:
        self._admission.leave(job_id)
        return self._waiting.pop(job_id, None) is not None or self._leave(job_id) is not None

    @torch.inference_mode()
    def step(self) -> Sequence[JobEvent | Denoised]:
        self._steps.begin()
        self._let_in()
        if self._waiting and not self._runs:  # only a picture that is being finished can be in the way
            self._has_finished.wait(PATIENCE)
            self._has_finished.clear()
            self._let_in()
        shut_out, self._shut_out = self._shut_out, {}
        runs = [self._runs[job_id] for job_id in self._schedule.next(self._steps.capacity)]
        events = self._start(runs)
        failed = self._steps.forward(runs)
        refusals = [Failed(id=job_id, reason=reason_of(problem)) for job_id, problem in shut_out.items()]
        return [*refusals, *events, *self._proceed(runs, failed)]

    def sketch(self, job_id: str) -> Callable[[], bytes | None] | None:
        run = self._runs.get(job_id)
        stepped = self._steps.of(run) if run is not None else None
        if run is None or stepped is None:
            return None
        return partial(self._pictures.preview, stepped, run)

    def finish(self, denoised: Denoised) -> Drawn | Failed | Refused:
        try:
            with self._beside.steps():
                return self._pictures.finish(denoised)
        finally:
            self._finished.append(denoised.job.id)
            self._has_finished.set()

    def free_memory(self) -> None:
        self._checkpoint.text.forget()
        self._checkpoint.references.forget()
        self._steps.forget()
        give_back()

    def device_memory(self) -> int:
        return reserved_memory(self._checkpoint.device)

    def _let_in(self) -> None:
        """Those that wait for memory take part, as far as there is some."""
        while self._finished:
            self._admission.finish(self._finished.popleft())
        for job_id in self._admission.admit():
            take_part = partial(self._take_part, self._waiting.pop(job_id))
            try:
                self._with_room(take_part)
            except Exception as error:
                log("job not let in", job=job_id, error=repr(error))
                self._admission.leave(job_id)
                self._shut_out[job_id] = TooLarge() if is_out_of_memory(error) else error

    def _with_room(self, work: Callable[[], None]) -> None:
        """Done once more, with nothing beside it, if memory does not suffice."""
        try:
            work()
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            self._make_room()
            work()

    def _make_room(self) -> None:
        self.make_room()
        give_back()

    def _take_part(self, waiting: Waiting) -> None:
        job = waiting.job
        self._runs[job.id] = run_of(waiting, self._checkpoint)
        self._schedule.add(
            job.id,
            group=waiting.layout,
            share=job.share,
            weight=job.weight,
            priority=job.priority,
            cost=waiting.rows * self._steps.tokens(waiting.layout),
            room=waiting.rows,
        )

    def _start(self, runs: Sequence[Run]) -> list[Started]:
        fresh = [run for run in runs if run.started is None]
        for run in fresh:
            run.started = time.monotonic()
        return [Started(id=run.job.id) for run in fresh]

    def _proceed(self, runs: Sequence[Run], failed: Mapping[str, Exception]) -> list[Any]:
        events: list[JobEvent | Denoised] = []
        now = time.monotonic()
        for run in runs:
            job = run.job
            if job.id in failed or not run.finite:
                self._leave(job.id)
                self._admission.leave(job.id)
                reason = reason_of(failed[job.id]) if job.id in failed else NO_NUMBERS
                events.append(Failed(id=job.id, reason=reason))
                continue
            elapsed = now - (run.started or now)
            events.append(Progress(id=job.id, step=run.step, steps=job.steps, elapsed=elapsed))
            if run.done:
                self._leave(job.id)
                events.append(Denoised(job, run.latents, run.admitted, run.references))
        return events

    def _leave(self, job_id: str) -> Run | None:
        """The run is no longer part of any step; its latents are its own."""
        run = self._runs.pop(job_id, None)
        if run is None:
            return None
        self._schedule.remove(job_id)
        self._steps.leave(run)
        return run
