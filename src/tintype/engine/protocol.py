"""What is said between a worker and its engine host: jobs and cancellations in, events out.

Knows requests and pixels, nothing of tasks, SQL or HTTP. Every message is one msgpack map, tagged by
its `type`; `tintype.engine.frames` puts a length before it. Light: imports no tensor library.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from tintype.domain.priority import Priority
from tintype.domain.source import Source

OutputFormat = Literal["png", "jpeg"]
Stage = Literal["input", "image"]
"""Where pictures are moderated: those that a job brings, and the one that is drawn."""
Metadata = Literal["full", "minimal"]
"""How much a picture says about itself: its inputs too, or only that a model drew it, and which."""

ModelState = Literal["loading", "loaded", "evicted", "failed"]

MOST_IMAGES = 8
LARGEST_IMAGES = 128 * 2**20
"""Bytes of all reference pictures of a job together."""


class _Message(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    pass


# Commands: worker → host


class Screen(msgspec.Struct, frozen=True, kw_only=True):
    """Which pictures are moderated: category → the score from which on a picture is refused.

    The categories are those of `tintype.engine.screening`. Where nothing is refused nothing is looked at.
    """

    input: dict[str, float] = {}
    """Of the reference pictures."""
    image: dict[str, float] = {}
    """Of the drawn picture, and of what is shown of it before."""


class Job(_Message, frozen=True, tag="job"):
    """One picture to draw. The picture is a function of these fields and the checkpoint alone.

    `id` names the job in events; `share` names whoever the job's compute is charged to: the engine
    divides its steps fairly between shares, by `weight`, within each `priority`. None of them influences
    the picture.
    """

    id: str
    prompt: str
    width: int
    """Pixels, a multiple of 16, 64..2048."""
    height: int
    steps: int
    guidance: float
    seed: int
    """0..2³²−1."""
    output_format: OutputFormat = "png"
    images: tuple[bytes, ...] = ()
    """Reference pictures to edit or to draw after, in order, as files in any common format; the host reads
    them. At most `MOST_IMAGES`, together at most `LARGEST_IMAGES`."""
    description: dict[str, str] = {}
    """Written into the picture's metadata beside the inputs and versions (such as the model's name)."""
    metadata: Metadata = "full"
    share: str = ""
    weight: float = 1.0
    priority: Priority = Priority.NORMAL
    screen: Screen = Screen()
    """A picture that it refuses is not drawn from, or never leaves the host."""
    source: Source = Source()
    """What draws it; loaded when it is not in memory."""


def job_of(
    inputs: Mapping[str, Any],
    *,
    id: str,
    model: str,
    images: Sequence[bytes] = (),
    share: str = "",
    weight: float = 1.0,
    priority: Priority = Priority.NORMAL,
    screen: Screen = Screen(),  # noqa: B008 - frozen
    source: Source = Source(),  # noqa: B008 - frozen
    metadata: Metadata = "full",
) -> Job:
    """The job that a model's checked inputs ask for (`tintype.domain.inputs.read_inputs`)."""
    return Job(
        id=id,
        prompt=well_formed(inputs["prompt"]),
        width=inputs["width"],
        height=inputs["height"],
        steps=inputs["steps"],
        guidance=inputs["guidance"],
        seed=inputs["seed"],
        output_format=inputs["outputFormat"],
        images=tuple(images),
        description={"model": model},
        metadata=metadata,
        share=share,
        weight=weight,
        priority=priority,
        screen=screen,
        source=source,
    )


def well_formed(text: str) -> str:
    """The text in Unicode: surrogate pairs joined, and what is left of broken ones as U+FFFD."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


class Drop(_Message, frozen=True, tag="drop"):
    """Stop the job before its next step. Unknown ids are ignored; `Dropped` answers known ones."""

    id: str


class Watch(_Message, frozen=True, tag="watch"):
    """For the next `seconds`, show the job while it is drawn (`Progress.preview`).

    May come before the job does. A later one takes the place of an earlier one; 0 seconds end it.
    """

    id: str
    seconds: float


class Stop(_Message, frozen=True, tag="stop"):
    """Finish what has been admitted, then exit with status 0."""


Command = Job | Drop | Watch | Stop


# Events: host → worker


class Ready(_Message, frozen=True, tag="ready"):
    """The checkpoint is loaded, as `Source()`; jobs may come."""

    checkpoint: str
    """The checkpoint's own name, from its `tintype.toml` (or its folder's name)."""
    device: str
    places: int
    """How many jobs the engine wants admitted at once."""
    versions: dict[str, str]
    edits: bool
    """Whether jobs may have reference pictures."""
    arithmetic: dict[str, str] = {}
    """How its numbers are computed, as far as pictures depend on it."""
    bytes: int = 0
    """Of its weights, on the device."""
    fingerprint: str = ""
    """Of the checkpoint's files (`tintype.engine.flux2.fingerprint`); empty if it has none."""


class Broken(_Message, frozen=True, tag="broken"):
    """The host cannot serve (missing or damaged checkpoint, no device) and exits with status 1."""

    reason: str


class Started(_Message, frozen=True, tag="started"):
    """The job's first step begins."""

    id: str


class Progress(_Message, frozen=True, tag="progress"):
    """A step of the job is done, or a preview of it is ready: then the latest step is told again."""

    id: str
    step: int
    """Steps done so far, 1..steps."""
    steps: int
    elapsed: float
    """Seconds since the job started, when the step was done."""
    preview: bytes | None = None
    """The unfinished picture as a JPEG of at most 256 pixels a side, of watched jobs, at most twice a
    second."""


class Drawn(_Message, frozen=True, tag="drawn"):
    """The job's picture, encoded."""

    id: str
    image: bytes
    content_type: str
    width: int
    height: int
    elapsed: float
    """Seconds from admission to the encoded picture."""


class Failed(_Message, frozen=True, tag="failed"):
    """The job cannot be drawn; others are unaffected."""

    id: str
    reason: str


class Refused(_Message, frozen=True, tag="refused"):
    """A picture of the job has what its `screen` refuses; the job has ended, others are unaffected."""

    id: str
    stage: Stage
    category: str
    score: float
    """0..1."""


class Dropped(_Message, frozen=True, tag="dropped"):
    """The job has left the engine because of a `Drop`; nothing more is heard of it."""

    id: str


class Shelved(_Message, frozen=True, tag="shelved"):
    """Where a model stands, when that has changed."""

    source: Source
    state: ModelState
    bytes: int = 0
    """Of its weights, once they are known."""
    problem: str = ""
    """Why it could not be loaded, for operators."""


class Memory(_Message, frozen=True, tag="memory"):
    """What the host holds, in bytes; told at most once a second while it works."""

    main: int
    """Of main memory: its resident set."""
    device: int
    """Of the device's own memory, what is held in reserve included; 0 where it has none."""


Event = Ready | Broken | Started | Progress | Drawn | Failed | Refused | Dropped | Shelved | Memory
JobEvent = Started | Progress | Drawn | Failed | Refused | Dropped
