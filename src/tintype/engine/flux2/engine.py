"""Drawing with a FLUX.2 checkpoint: step-level continuous batching.

Jobs of one canvas share forward passes whatever their prompts, seeds, guidance, number of steps and
progress; they join and leave between steps.
"""

import time
from collections.abc import Hashable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import torch

from tintype.engine.engine import BadJob, Denoised, check, reason_of
from tintype.engine.flux2.batch import Batch, Positions, Run
from tintype.engine.flux2.canvas import Canvas
from tintype.engine.flux2.checkpoint import Checkpoint
from tintype.engine.flux2.latents import image_positions, noise, text_positions
from tintype.engine.flux2.positions import RememberedPositions
from tintype.engine.flux2.schedule import Schedule
from tintype.engine.flux2.sigmas import sigma_table
from tintype.engine.images.encode import encode
from tintype.engine.images.metadata import describe
from tintype.engine.log import log
from tintype.engine.protocol import Drawn, Failed, Job, JobEvent, Progress, Ready, Started


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
    ) -> None:
        """A forward pass has at most `max_rows` rows, and at most `max_tokens` tokens, if it can."""
        self._checkpoint = checkpoint
        self._places = places
        self._max_rows = max_rows
        self._max_tokens = max_tokens
        self._versions = dict(versions)
        self._runs: dict[str, Run] = {}
        self._schedule = Schedule()
        self._batches: dict[Canvas, Batch] = {}
        self._positions = lru_cache(maxsize=32)(self._new_positions)
        transformer = checkpoint.transformer
        if not isinstance(transformer.pos_embed, RememberedPositions):
            transformer.pos_embed = RememberedPositions(transformer.pos_embed)

    def ready(self) -> Ready:
        return Ready(
            checkpoint=self._checkpoint.name,
            device=str(self._checkpoint.device),
            places=self._places,
            versions=self._versions,
            edits=False,
        )

    @property
    def idle(self) -> bool:
        return not self._runs

    def admit(self, job: Job) -> None:
        check(job)
        if job.images:
            raise BadJob("This checkpoint cannot edit pictures.")
        if job.id in self._runs:
            return
        run = self._new_run(job)
        rows = 2 if run.guided else 1
        self._runs[job.id] = run
        self._schedule.add(
            job.id,
            group=run.canvas,
            share=job.share,
            weight=job.weight,
            cost=rows * run.canvas.tokens,
            room=rows,
        )

    def drop(self, job_id: str) -> bool:
        return self._leave(job_id) is not None

    @torch.inference_mode()
    def step(self) -> Sequence[JobEvent | Denoised]:
        runs = [self._runs[job_id] for job_id in self._schedule.next(self._capacity)]
        events = self._start(runs)
        failed = self._forward(runs)
        return [*events, *self._proceed(runs, failed)]

    def sketch(self, job_id: str) -> None:
        return None

    @torch.inference_mode()
    def finish(self, denoised: Denoised) -> Drawn | Failed:
        job, canvases = denoised.job, self._checkpoint.canvases
        if not torch.isfinite(denoised.latents).all():
            return Failed(id=job.id, reason="The model produced values that are not numbers")
        canvas = canvases.choose(job.width, job.height)
        picture = self._checkpoint.decoder.decode(denoised.latents, canvas)
        picture = canvases.fit(picture, job.width, job.height)
        metadata = describe(job, checkpoint=self._checkpoint.name, versions=self._versions)
        return Drawn(
            id=job.id,
            image=encode(picture, job.output_format, metadata),
            content_type=f"image/{job.output_format}",
            width=job.width,
            height=job.height,
            elapsed=time.monotonic() - denoised.admitted,
        )

    def _new_run(self, job: Job) -> Run:
        checkpoint = self._checkpoint
        canvas = checkpoint.canvases.choose(job.width, job.height)
        channels = checkpoint.transformer.config.in_channels
        return Run(
            job=job,
            canvas=canvas,
            embedding=checkpoint.text.embed(job.prompt),
            latents=noise(job.seed, canvas, channels).to(checkpoint.device),
            sigmas=sigma_table(job.steps, canvas.tokens, checkpoint.shift).tolist(),
            guided=checkpoint.classifier_free and job.guidance > 1,
        )

    def _capacity(self, group: Hashable) -> int:
        assert isinstance(group, Canvas)
        tokens = group.tokens + self._checkpoint.text.empty.shape[0]
        return min(self._max_rows, self._max_tokens // tokens)

    def _start(self, runs: Sequence[Run]) -> list[Started]:
        fresh = [run for run in runs if run.started is None]
        for run in fresh:
            run.started = time.monotonic()
        return [Started(id=run.job.id) for run in fresh]

    def _forward(self, runs: Sequence[Run]) -> dict[str, Exception]:
        """Step the runs together; if that fails, each alone, to tell the ones that cannot."""
        if not runs:
            return {}
        try:
            self._batch(runs).step(self._checkpoint.transformer)
        except Exception as error:
            log("step failed", jobs=[run.job.id for run in runs], error=repr(error))
            if len(runs) == 1:
                return {runs[0].job.id: error}
            failed: dict[str, Exception] = {}
            for run in runs:
                failed |= self._forward([run])
            return failed
        return {}

    def _batch(self, runs: Sequence[Run]) -> Batch:
        canvas = runs[0].canvas
        batch = self._batches.get(canvas)
        if batch is None or not batch.holds(runs):
            if batch is not None:
                batch.release()
            batch = self._batches[canvas] = Batch(
                runs,
                empty=self._checkpoint.text.empty,
                positions=self._positions(canvas),
                embedded_guidance=self._checkpoint.embedded_guidance,
            )
        return batch

    def _proceed(self, runs: Sequence[Run], failed: Mapping[str, Exception]) -> list[Any]:
        events: list[JobEvent | Denoised] = []
        now = time.monotonic()
        for run in runs:
            job = run.job
            if job.id in failed:
                self._leave(job.id)
                events.append(Failed(id=job.id, reason=reason_of(failed[job.id])))
                continue
            elapsed = now - (run.started or now)
            events.append(Progress(id=job.id, step=run.step, steps=job.steps, elapsed=elapsed))
            if run.done:
                self._leave(job.id)
                events.append(Denoised(job=job, latents=run.latents, admitted=run.admitted))
        return events

    def _leave(self, job_id: str) -> Run | None:
        """The run is no longer part of anything; its latents are its own."""
        run = self._runs.pop(job_id, None)
        if run is None:
            return None
        self._schedule.remove(job_id)
        batch = self._batches.get(run.canvas)
        if batch is not None and run in batch.runs:
            batch.release()
            del self._batches[run.canvas]
        return run

    def _new_positions(self, canvas: Canvas) -> Positions:
        device = self._checkpoint.device
        length = self._checkpoint.text.empty.shape[0]
        return Positions(image=image_positions(canvas).to(device), text=text_positions(length).to(device))
