"""What a host expects of an engine, which jobs can be drawn at all, and why one could not be.

Knows requests and pixels, nothing of processes or pipes. Imports no tensor library.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from tintype.domain.errors import BadCheckpoint
from tintype.engine.images.reading import UnusablePicture
from tintype.engine.protocol import LARGEST_IMAGES, MOST_IMAGES, Drawn, Failed, Job, JobEvent, Ready, Refused

SIDES = range(64, 2048 + 1, 16)
SEEDS = range(2**32)
LONGEST_SCHEDULE = 1000
NO_MEMORY = "The job needs more memory than there is"
UNEXPECTED = "The engine failed while drawing; the log says why."
_OUT_OF_MEMORY = ("can't allocate memory", "CUDA error: out of memory", "STATUS_ALLOC_FAILED")
_ONEDNN_FAILED = ("could not create a primitive", "could not execute a primitive")
NO_NUMBERS = "The model produced values that are not numbers"


@dataclass(frozen=True)
class References:
    """A job's reference pictures, as `Engine.prepare` has read them."""

    digests: tuple[str, ...] = ()
    """SHA-256 of each file as it came."""
    encoded: Any = ()
    """What the engine makes of them."""


NO_REFERENCES = References()


@dataclass(frozen=True)
class Denoised:
    """All steps of the job are done; `Engine.finish` makes its picture."""

    job: Job
    latents: Any
    admitted: float
    """Seconds on the monotonic clock."""
    references: References = NO_REFERENCES


class Engine(Protocol):
    """Draws any number of jobs, a step at a time.

    `admit`, `step`, `sketch`, `drop` and `is_prepared` belong to one thread; `prepare` and `finish` may run
    beside it. `free_memory` belongs to the first, and is called while nothing runs beside it.
    """

    make_room: Callable[[], None]
    """Called by `step` when memory does not suffice for a job alone: lets what runs beside the steps end."""

    def ready(self) -> Ready:
        """What there is to know about an engine that has loaded."""
        ...

    @property
    def idle(self) -> bool:
        """No job waits for a step, or for memory."""
        ...

    def is_prepared(self, job: Job) -> bool:
        """Whether the job can be admitted without work that would hold up the steps."""
        ...

    def prepare(self, job: Job) -> References:
        """Encode the job's prompt and read its reference pictures, so that `admit` is quick.

        For one thread with jobs that have pictures, and one with others. Raises `BadJob` if the job cannot
        be drawn.
        """
        ...

    def admit(self, job: Job, references: References = NO_REFERENCES) -> None:
        """The job takes part from the next step on, or from when there is memory for it. Raises `BadJob` if
        it cannot be drawn.

        Pictures that the job still carries are prepared here.
        """
        ...

    def step(self) -> Sequence[JobEvent | Denoised]:
        """One denoising step for one group of jobs; nothing when idle."""
        ...

    def drop(self, job_id: str) -> bool:
        """The job leaves before the next step; False if no such job waits for a step."""
        ...

    def sketch(self, job_id: str) -> bytes | Callable[[], bytes | None] | None:
        """A preview of the job after the step it has just done: the JPEG, or what makes it, to be called
        on another thread, or None if there is nothing to show, or nothing that may be shown."""
        ...

    def finish(self, denoised: Denoised) -> Drawn | Failed | Refused:
        """Decode, moderate and encode the picture of a job that has done its steps.

        Until then, or until `drop`, the job counts as being in memory.
        """
        ...

    def free_memory(self) -> None:
        """Give back whatever is not needed now."""
        ...

    def device_memory(self) -> int:
        """Bytes of the device's own memory that are held; 0 if it has none."""
        ...


class BadJob(ValueError):
    """A job that cannot be drawn; the message says why."""


class PictureRefused(BadJob):
    """A reference picture has what the job's `screen` refuses."""

    def __init__(self, refused: Refused) -> None:
        self.refused = refused
        super().__init__(f"A reference picture is refused: {refused.category}")


@contextmanager
def reading(number: int) -> Iterator[None]:
    """Says of a picture that cannot be used which one of the job's it is, counted from 1, as `BadJob`."""
    try:
        yield
    except UnusablePicture as error:
        raise BadJob(f"Reference picture {number} {error}") from error


def check(job: Job) -> None:
    """Raises `BadJob` with every reason why the job's fields cannot be drawn."""
    bytes_of_images = sum(len(image) for image in job.images)
    problems = [
        problem
        for possible, problem in (
            (job.width in SIDES, f"width {job.width} is not a multiple of 16 from 64 to 2048"),
            (job.height in SIDES, f"height {job.height} is not a multiple of 16 from 64 to 2048"),
            (1 <= job.steps <= LONGEST_SCHEDULE, f"steps {job.steps} is not from 1 to 1000"),
            (math.isfinite(job.guidance), f"guidance {job.guidance} is not a finite number"),
            (job.seed in SEEDS, f"seed {job.seed} is not from 0 to 4294967295"),
            (len(job.images) <= MOST_IMAGES, f"{len(job.images)} reference pictures, {MOST_IMAGES} at most"),
            (
                bytes_of_images <= LARGEST_IMAGES,
                f"{bytes_of_images} bytes of reference pictures, {LARGEST_IMAGES} at most",
            ),
            (0 < job.weight < math.inf, f"weight {job.weight} is not a positive number"),
        )
        if not possible
    ]
    if problems:
        raise BadJob("; ".join(problems))


def reason_of(error: Exception) -> str:
    """One line for a `Failed` event, which callers read: what only operators understand is for the log."""
    if isinstance(error, BadCheckpoint | BadJob):
        return str(error)
    return NO_MEMORY if is_out_of_memory(error) else UNEXPECTED


def problem_of(error: Exception) -> str:
    """One line for a `Broken` event, which operators read."""
    if isinstance(error, BadCheckpoint):
        return str(error)
    return " ".join(f"{type(error).__name__}: {error}".split())


def is_out_of_memory(error: Exception) -> bool:
    """Whether the same work in smaller pieces may succeed."""
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"  # of the tensor library, which is not imported here
        or any(mark in str(error) for mark in _OUT_OF_MEMORY)
        or str(error) in _ONEDNN_FAILED  # all that oneDNN says where its own allocation fails
    )


def is_device_lost(error: Exception) -> bool:
    """Whether the device takes no more work from this process, whichever job it is for.

    An illegal access, a failed assertion and their like never go away in the process that has met them:
    https://docs.nvidia.com/cuda/cuda-runtime-api/group__CUDART__TYPES.html.
    """
    return type(error).__name__ == "AcceleratorError" and not is_out_of_memory(error)
