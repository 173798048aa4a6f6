"""From a task to a job for an engine, and from what the engine drew to a task's outputs."""

import structlog

from tintype.domain.source import Source
from tintype.domain.task import FAILURE, SUCCESS, File, Outcome, Task
from tintype.domain.tokens import new_file_id, new_token
from tintype.engine import protocol
from tintype.engine.protocol import Drawn, Job, Metadata, Screen
from tintype.storage.objects import Objects
from tintype.worker.preparing import Prepared
from tintype.worker.recording import Recording

log = structlog.get_logger()


def job_id(task: Task) -> str:
    """What the attempt is called among engines."""
    return f"{task.id}.{task.attempt}"


def job_of(task: Task, prepared: Prepared, *, screen: Screen, source: Source, metadata: Metadata) -> Job:
    """The attempt, as an engine understands it."""
    return protocol.job_of(
        prepared.inputs,
        id=job_id(task),
        model=task.model,
        images=prepared.images,
        share=task.share,
        weight=task.weight,
        priority=task.priority,
        screen=screen,
        source=source,
        metadata=metadata,
    )


async def store(objects: Objects, recording: Recording, drawn: Drawn, *, now: int) -> Outcome:
    """Stores the picture; the outcome names it, or says that it could not be stored.

    It is announced first: whatever dies before the task is finished with it, its bytes are found and deleted.
    """
    folder = new_file_id()
    name = f"0.{drawn.content_type.removeprefix('image/')}"
    picture = File(
        id=new_file_id(),
        name=name,
        content_type=drawn.content_type,
        size=len(drawn.image),
        folder=folder,
        access_key=new_token(),
        object_key=f"outputs/{folder[:2]}/{folder}-{name}",
        added=now,
    )
    await recording.announce(picture.object_key)
    try:
        await objects.put(picture.object_key, drawn.image, drawn.content_type)
    except Exception:
        log.exception("picture_not_stored", object_key=picture.object_key)
        return failure("The picture could not be stored.")
    return Outcome(
        exit_code=SUCCESS, outputs=(picture,), output_folder=folder, pixels=drawn.width * drawn.height
    )


async def discard(objects: Objects, recording: Recording, outcome: Outcome) -> None:
    """Deletes those of the pictures that belong to nobody."""
    keys = await recording.give_up(outcome)
    for key in keys:
        await objects.discard(key)
    if keys:
        await recording.forget(keys)


def failure(reason: str) -> Outcome:
    """An end without a picture."""
    return Outcome(exit_code=FAILURE, debug_error=reason)
