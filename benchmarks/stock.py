"""The stock pipeline as a server would use it: requests wait in line, and are drawn in calls of it."""

import io
import time
from collections import deque
from collections.abc import Sequence
from typing import Any

import torch
from diffusers import Flux2KleinPipeline

from tintype.engine.flux2.checkpoint import open_checkpoint
from tintype.engine.flux2.placing import Placed
from tintype.engine.protocol import Job
from traffic import Request

Finished = list[tuple[Request, float]]
"""Requests, and when each was done, in seconds after the start."""


class Stock:
    """`Flux2KleinPipeline` over a checkpoint, on the CPU, its pictures saved as PNG by Pillow."""

    def __init__(self, weights: str, threads: int, dtype: torch.dtype = torch.float32) -> None:
        if threads:
            torch.set_num_threads(threads)
        checkpoint = open_checkpoint(weights, Placed(device=torch.device("cpu"), dtype=torch.float32))
        self._canvases = checkpoint.canvases
        self._layers = checkpoint.text._layers
        self._length = checkpoint.text.empty.shape[0]
        self._pipeline: Any = Flux2KleinPipeline.from_pretrained(weights, dtype=dtype)
        self._pipeline.set_progress_bar_config(disable=True)

    def draw(self, jobs: Sequence[Job]) -> list[bytes]:
        """Jobs of one size and number of steps, in one call, on the canvas that ours would draw them on."""
        canvas = self._canvases.choose(jobs[0].width, jobs[0].height)
        token = 2 * self._pipeline.vae_scale_factor
        pictures = self._pipeline(
            prompt=[job.prompt for job in jobs],
            width=canvas.columns * token,
            height=canvas.rows * token,
            num_inference_steps=jobs[0].steps,
            guidance_scale=jobs[0].guidance,
            generator=[torch.Generator("cpu").manual_seed(job.seed) for job in jobs],
            max_sequence_length=self._length,
            text_encoder_out_layers=self._layers,
        ).images
        return [_png(picture) for picture in pictures]

    def serve(self, requests: Sequence[Request], *, together: int) -> Finished:
        """First come, first served; up to `together` waiting requests that are alike go in one call."""
        begun = time.monotonic()
        following, waiting = deque(requests), deque[Request]()
        finished: Finished = []
        while following or waiting:
            now = time.monotonic() - begun
            while following and following[0].at <= now:
                waiting.append(following.popleft())
            if not waiting:
                time.sleep(following[0].at - now)
                continue
            batch = [request for request in waiting if alike(request, waiting[0])][:together]
            waiting = deque(request for request in waiting if request not in batch)
            self.draw([request.job for request in batch])
            done = time.monotonic() - begun
            finished += [(request, done) for request in batch]
        return finished


def alike(one: Request, other: Request) -> bool:
    """What one call of the pipeline can draw together."""
    mine, theirs = one.job, other.job
    return (mine.width, mine.height, mine.steps, mine.guidance) == (
        theirs.width,
        theirs.height,
        theirs.steps,
        theirs.guidance,
    )


def _png(picture: Any) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    return stream.getvalue()
