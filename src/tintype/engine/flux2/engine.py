"""Drawing with a FLUX.2 checkpoint: step-level continuous batching.

Jobs of one layout (of canvas and reference pictures) share forward passes whatever their prompts, seeds,
guidance, number of steps and progress; they join and leave between steps.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import lru_cache, partial
from typing import Any

import msgspec
import numpy as np
import torch

from tintype.engine.engine import (
    NO_NUMBERS,
    NO_REFERENCES,
    BadJob,
    Denoised,
    References,
    check,
    is_device_lost,
    is_out_of_memory,
    reason_of,
)
from tintype.engine.flux2.admission import Admission
from tintype.engine.flux2.batch import Batch, Positions, Run, Stepped, Waiting
from tintype.engine.flux2.beside import Beside
from tintype.engine.flux2.checkpoint import Checkpoint
from tintype.engine.flux2.latents import noise
from tintype.engine.flux2.layout import Layout, image_positions, text_positions
from tintype.engine.flux2.memory import (
    UNBOUNDED,
    TooLarge,
    TooLargeEver,
    free_memory,
    in_halves,
    reserved_memory,
)
from tintype.engine.flux2.references import Reference
from tintype.engine.flux2.schedule import Schedule
from tintype.engine.flux2.sigmas import sigma_table
from tintype.engine.images.encode import encode
from tintype.engine.images.metadata import describe, digests_of
from tintype.engine.images.preview import LONGEST_SIDE, encode_preview
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
        self._max_rows = max_rows
        self._max_tokens = max_tokens
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
        self._beside = Beside(checkpoint.device)
        self._schedule = Schedule()
        self._batches: dict[Layout, Batch] = {}
        self._stepped: list[Stepped] = []
        length = checkpoint.text.empty.shape[0]
        self._text_positions = text_positions(length).to(checkpoint.device)
        self._positions = lru_cache(maxsize=32)(self._new_positions)

    @property
    def checkpoint(self) -> Checkpoint:
        return self._checkpoint

    def of(self, checkpoint: Checkpoint) -> "Flux2Engine":
        """Another engine, under the same limits, for the same device."""
        return Flux2Engine(
            checkpoint,
            places=self._places,
            max_rows=self._max_rows,
            max_tokens=self._max_tokens,
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
        waiting = self._new_waiting(job, references)
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
        self._stepped = []
        self._let_in()
        if self._waiting and not self._runs:  # only a picture that is being finished can be in the way
            self._has_finished.wait(PATIENCE)
            self._has_finished.clear()
            self._let_in()
        shut_out, self._shut_out = self._shut_out, {}
        runs = [self._runs[job_id] for job_id in self._schedule.next(self._capacity)]
        events = self._start(runs)
        failed = self._forward(runs)
        refusals = [Failed(id=job_id, reason=reason_of(problem)) for job_id, problem in shut_out.items()]
        return [*refusals, *events, *self._proceed(runs, failed)]

    def sketch(self, job_id: str) -> Callable[[], bytes | None] | None:
        run = self._runs.get(job_id)
        stepped = next((stepped for stepped in self._stepped if run in stepped.runs), None)
        if run is None or stepped is None:
            return None
        return partial(self._preview, stepped, run)

    def finish(self, denoised: Denoised) -> Drawn | Failed | Refused:
        try:
            with self._beside.steps():
                return self._finish(denoised)
        finally:
            self._finished.append(denoised.job.id)
            self._has_finished.set()

    @torch.inference_mode()
    def _finish(self, denoised: Denoised) -> Drawn | Failed | Refused:
        job, canvases = denoised.job, self._checkpoint.canvases
        canvas = canvases.choose(job.width, job.height)
        picture = self._checkpoint.decoder.decode(denoised.latents, canvas)
        picture = canvases.fit(picture, job.width, job.height)
        if refused := self._screening.refused(job, "image", picture):
            return refused
        metadata = describe(
            job,
            checkpoint=self._checkpoint.name,
            fingerprint=self._checkpoint.fingerprint,
            versions=self._versions,
            references=denoised.references.digests,
        )
        return Drawn(
            id=job.id,
            image=encode(picture, job.output_format, metadata),
            content_type=f"image/{job.output_format}",
            width=job.width,
            height=job.height,
            elapsed=time.monotonic() - denoised.admitted,
        )

    def free_memory(self) -> None:
        self._checkpoint.text.forget()
        self._checkpoint.references.forget()
        self._positions.cache_clear()
        free_memory(self._checkpoint.device)

    def device_memory(self) -> int:
        return reserved_memory(self._checkpoint.device)

    @torch.inference_mode()
    def _preview(self, stepped: Stepped, run: Run) -> bytes | None:
        canvases, job = self._checkpoint.canvases, run.job
        with self._beside.steps():
            picture = self._checkpoint.decoder.preview(stepped.clean(run), run.layout.drawn, LONGEST_SIDE)
        shown = canvases.preview(picture, job.width, job.height)
        return None if self._screening.refused(job, "image", np.asarray(shown)) else encode_preview(shown)

    def _new_waiting(self, job: Job, references: References) -> Waiting:
        checkpoint = self._checkpoint
        encoded: Sequence[Reference] = references.encoded
        return Waiting(
            job=job,
            layout=Layout(
                drawn=checkpoint.canvases.choose(job.width, job.height),
                references=tuple(reference.grid for reference in encoded),
            ),
            embedding=checkpoint.text.embed(job.prompt),
            guided=checkpoint.classifier_free and job.guidance > 1,
            references=references,
        )

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
        free_memory(self._checkpoint.device)

    def _take_part(self, waiting: Waiting) -> None:
        job = waiting.job
        self._runs[job.id] = self._new_run(waiting)
        self._schedule.add(
            job.id,
            group=waiting.layout,
            share=job.share,
            weight=job.weight,
            priority=job.priority,
            cost=waiting.rows * self._tokens(waiting.layout),
            room=waiting.rows,
        )

    def _new_run(self, waiting: Waiting) -> Run:
        checkpoint, job, canvas = self._checkpoint, waiting.job, waiting.layout.drawn
        channels = checkpoint.transformer.config.in_channels
        tokens = [reference.tokens for reference in waiting.references.encoded]
        return Run(
            job=job,
            layout=waiting.layout,
            embedding=waiting.embedding,
            latents=noise(job.seed, canvas, channels).to(checkpoint.device),
            sigmas=sigma_table(job.steps, canvas.tokens, checkpoint.shift).tolist(),
            guided=waiting.guided,
            references=waiting.references,
            reference_tokens=torch.cat(tokens).to(checkpoint.device) if tokens else None,
            admitted=waiting.admitted,
        )

    def _capacity(self, group: Hashable) -> int:
        assert isinstance(group, Layout)
        return min(self._max_rows, self._max_tokens // self._tokens(group))

    def _tokens(self, layout: Layout) -> int:
        """Of a row: image and text."""
        return layout.tokens + self._checkpoint.text.empty.shape[0]

    def _start(self, runs: Sequence[Run]) -> list[Started]:
        fresh = [run for run in runs if run.started is None]
        for run in fresh:
            run.started = time.monotonic()
        return [Started(id=run.job.id) for run in fresh]

    def _forward(self, runs: Sequence[Run]) -> dict[str, Exception]:
        """Step the runs together; if that fails, in smaller company, to tell the ones that cannot."""
        problem = self._attempt(runs) if runs else None
        if problem is None:
            return {}
        too_large = isinstance(problem, TooLarge)
        if too_large:
            self._use_less(runs)
        if len(runs) == 1 and too_large:
            self._make_room()
            problem = self._attempt(runs)
        if len(runs) == 1:
            return {runs[0].job.id: problem} if problem else {}
        parts = in_halves(runs) if too_large else [[run] for run in runs]
        return {job_id: reason for part in parts for job_id, reason in self._forward(part).items()}

    def _attempt(self, runs: Sequence[Run]) -> Exception | None:
        """Why the runs could not be stepped together, without what that held in memory."""
        try:
            self._stepped.append(self._batch(runs).step(self._checkpoint.forward))
        except Exception as error:
            log("step failed", jobs=[run.job.id for run in runs], error=repr(error))
            if is_device_lost(error):
                raise
            return TooLarge() if is_out_of_memory(error) else error.with_traceback(None)
        return None

    def _use_less(self, runs: Sequence[Run]) -> None:
        """From now on, no step has more than half of the tokens that did not fit into memory."""
        if batch := self._batches.pop(runs[0].layout, None):
            batch.release()
        free_memory(self._checkpoint.device)
        if len(runs) > 1:
            rows = sum(2 if run.guided else 1 for run in runs)
            tried = rows * self._tokens(runs[0].layout)
            self._max_tokens = min(self._max_tokens, tried // 2)
            log("steps made smaller", most_tokens=self._max_tokens)

    def _batch(self, runs: Sequence[Run]) -> Batch:
        layout = runs[0].layout
        batch = self._batches.get(layout)
        if batch is None or not batch.holds(runs):
            if batch is not None:
                batch.release()
            batch = self._batches[layout] = Batch(
                runs,
                empty=self._checkpoint.text.empty,
                positions=self._positions(layout),
                embedded_guidance=self._checkpoint.embedded_guidance,
            )
        return batch

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
        batch = self._batches.get(run.layout)
        if batch is not None and run in batch.runs:
            batch.release()
            del self._batches[run.layout]
        return run

    def _new_positions(self, layout: Layout) -> Positions:
        image = image_positions(layout).to(self._checkpoint.device)
        return Positions(image=image, text=self._text_positions)
