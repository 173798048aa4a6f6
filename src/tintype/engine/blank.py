"""An engine that draws nothing: every picture is plain grey, and done in one step.

For measuring everything around the engine (`--weights blank:`). It speaks the same protocol, and its
pictures carry the same metadata as drawn ones, so that nothing around it can tell, but it is no model
and never stands in for one. They show nothing, so they are not moderated; reference pictures are.
Imports no tensor library.
"""

import functools
import gc
import io
import time
import zlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import tintype
from tintype.engine.engine import NO_REFERENCES, Denoised, References, check, reading
from tintype.engine.images.metadata import JpegBlocks, describe, digests_of, jpeg_blocks, png_texts
from tintype.engine.images.png import png
from tintype.engine.images.preview import encode_preview, preview_size
from tintype.engine.images.reading import read_picture
from tintype.engine.protocol import Drawn, Failed, Job, JobEvent, Progress, Ready, Started

if TYPE_CHECKING:
    from tintype.engine.screening import Screening

NAME = "blank"
_GREY = 0xEE


class BlankEngine:
    """Implements `tintype.engine.engine.Engine`."""

    def __init__(self, *, places: int = 64) -> None:
        self._places = places
        self._waiting: dict[str, Denoised] = {}
        self._stepped: Job | None = None
        self._versions = {"tintype": tintype.__version__}
        self.make_room: Callable[[], None] = lambda: None

    def ready(self) -> Ready:
        return Ready(checkpoint=NAME, device="none", places=self._places, versions=self._versions, edits=True)

    @property
    def idle(self) -> bool:
        return not self._waiting

    def is_prepared(self, job: Job) -> bool:
        return not job.images

    def prepare(self, job: Job) -> References:
        check(job)
        for number, file in enumerate(job.images, start=1):
            with reading(number):
                read_picture(file)
        digests = digests_of(job)
        if job.images and job.screen.input:
            self._screening.demand(job, digests)
        return References(digests=digests)

    @functools.cached_property
    def _screening(self) -> "Screening":
        from tintype.engine.screening import Screening

        return Screening()

    def admit(self, job: Job, references: References = NO_REFERENCES) -> None:
        check(job)
        if job.images:
            references = self.prepare(job)
        self._waiting.setdefault(
            job.id, Denoised(job=job, latents=None, admitted=time.monotonic(), references=references)
        )

    def step(self) -> Sequence[JobEvent | Denoised]:
        if self.idle:
            return ()
        denoised = self._waiting.pop(next(iter(self._waiting)))
        job = self._stepped = denoised.job
        return (
            Started(id=job.id),
            Progress(id=job.id, step=job.steps, steps=job.steps, elapsed=0.0),
            denoised,
        )

    def drop(self, job_id: str) -> bool:
        return self._waiting.pop(job_id, None) is not None

    def sketch(self, job_id: str) -> bytes | None:
        job = self._stepped
        if job is None or job.id != job_id:
            return None
        return _preview(*preview_size(job.width, job.height))

    def finish(self, denoised: Denoised) -> Drawn | Failed:
        job = denoised.job
        metadata = describe(
            job, checkpoint=NAME, versions=self._versions, references=denoised.references.digests
        )
        if job.output_format == "png":
            image = png(job.width, job.height, _rows(job.width, job.height), png_texts(metadata))
        else:
            image = _jpeg(job.width, job.height, jpeg_blocks(metadata))
        return Drawn(
            id=job.id,
            image=image,
            content_type=f"image/{job.output_format}",
            width=job.width,
            height=job.height,
            elapsed=time.monotonic() - denoised.admitted,
        )

    def free_memory(self) -> None:
        gc.collect()

    def device_memory(self) -> int:
        return 0


@functools.lru_cache(maxsize=64)
def _preview(width: int, height: int) -> bytes:
    from PIL import Image

    return encode_preview(Image.new("RGB", (width, height), (_GREY,) * 3))


@functools.lru_cache(maxsize=64)
def _rows(width: int, height: int) -> bytes:
    """The zlib stream of unfiltered rows."""
    row = b"\0" + bytes([_GREY]) * (3 * width)
    return zlib.compress(row * height)


def _jpeg(width: int, height: int, blocks: JpegBlocks) -> bytes:
    from PIL import Image

    stream = io.BytesIO()
    Image.new("RGB", (width, height), (_GREY,) * 3).save(stream, "JPEG", quality=95, **blocks._asdict())
    return stream.getvalue()
