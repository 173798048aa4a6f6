"""Latents in, files out: the pictures of jobs that are done, and those of jobs under way."""

import time

import numpy as np
import torch

from tintype.engine.engine import Denoised
from tintype.engine.flux2.batch import Stepped
from tintype.engine.flux2.beside import Beside
from tintype.engine.flux2.checkpoint import Checkpoint
from tintype.engine.flux2.runs import Run
from tintype.engine.images.encode import encode
from tintype.engine.images.metadata import describe
from tintype.engine.images.preview import LONGEST_SIDE, encode_preview
from tintype.engine.protocol import Drawn, Refused
from tintype.engine.screening import Screening


class Pictures:
    """Decodes and encodes beside the steps, in any thread."""

    def __init__(
        self, checkpoint: Checkpoint, *, beside: Beside, screening: Screening, versions: dict[str, str]
    ) -> None:
        self._checkpoint = checkpoint
        self._beside = beside
        self._screening = screening
        self._versions = versions

    @torch.inference_mode()
    def finish(self, denoised: Denoised) -> Drawn | Refused:
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
            arithmetic=self._checkpoint.arithmetic,
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

    @torch.inference_mode()
    def preview(self, stepped: Stepped, run: Run) -> bytes | None:
        canvases, job = self._checkpoint.canvases, run.job
        with self._beside.steps():
            picture = self._checkpoint.decoder.preview(stepped.clean(run), run.layout.drawn, LONGEST_SIDE)
        shown = canvases.preview(picture, job.width, job.height)
        return None if self._screening.refused(job, "image", np.asarray(shown)) else encode_preview(shown)
