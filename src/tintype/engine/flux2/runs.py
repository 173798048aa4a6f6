"""Jobs that wait to be drawn, and jobs under way."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from tintype.engine.engine import NO_REFERENCES, References
from tintype.engine.flux2.checkpoint import Checkpoint
from tintype.engine.flux2.latents import noise
from tintype.engine.flux2.layout import Layout
from tintype.engine.flux2.references import Reference
from tintype.engine.flux2.sigmas import sigma_table
from tintype.engine.protocol import Job


@dataclass(frozen=True, eq=False)
class Waiting:
    """A job that is ready to be drawn once there is memory for it."""

    job: Job
    layout: Layout
    embedding: Tensor
    """(length, dimensions)."""
    guided: bool
    """Takes a second row in the batch, against the empty prompt."""
    references: References = NO_REFERENCES
    admitted: float = field(default_factory=time.monotonic)
    """Seconds on the monotonic clock."""

    @property
    def rows(self) -> int:
        return 2 if self.guided else 1


@dataclass(eq=False)
class Run:
    """A job under way."""

    job: Job
    layout: Layout
    embedding: Tensor
    """(length, dimensions)."""
    latents: Tensor
    """(tokens, channels), float32. Stale while a batch holds the run."""
    sigmas: list[float]
    """steps + 1 of them."""
    guided: bool
    """Takes a second row in the batch, against the empty prompt."""
    references: References = NO_REFERENCES
    reference_tokens: Tensor | None = None
    """(tokens, channels), float32: of all its reference pictures."""
    step: int = 0
    finite: bool = True
    """Whether its latents are numbers, after the step."""
    admitted: float = field(default_factory=time.monotonic)
    started: float | None = None

    @property
    def done(self) -> bool:
        return self.step == self.job.steps


def waiting_of(job: Job, references: References, checkpoint: Checkpoint) -> Waiting:
    """With its prompt embedded."""
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


def run_of(waiting: Waiting, checkpoint: Checkpoint) -> Run:
    """From its noise on; takes the memory that it needs until it is done."""
    job, canvas = waiting.job, waiting.layout.drawn
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
