"""Drawing again: inputs from what a picture or a task says, and a word on whether the result is the same."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from tintype.cli.inspect import plain, read_file
from tintype.cli.refusals import Stop

if TYPE_CHECKING:
    from tintype_client import Client, Task

DRAWN_AGAIN = ("prompt", "width", "height", "steps", "guidance", "seed", "outputFormat")
"""The inputs that decide about the pixels, beside the reference pictures."""
IDEMPOTENCY = "idempotency_key"
"""An option of the client; a task keeps all that was sent with it, and a picture is not affected."""


@dataclass(frozen=True, kw_only=True)
class Original:
    """What is to be drawn again."""

    name: str
    """What the caller calls it."""
    inputs: Mapping[str, Any]
    model: str
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """What its picture says; empty where there is none."""
    image: bytes | None = None

    @property
    def digests(self) -> Sequence[str]:
        """SHA-256 of its reference pictures."""
        digests = self.metadata.get("references")
        return digests if isinstance(digests, list) else ()


def original_of(name: str, client: "Client", given: Mapping[str, Any], images: Sequence[str]) -> Original:
    """The picture of that file name, or else the task of that id or token. Raises Stop."""
    from tintype.cli.sources import source

    if not Path(name).expanduser().is_file() and not set(name) & set("./\\"):
        return original_task(name, client)
    original = original_picture(Path(name), given)
    demand_references(original, [source(text) for text in images])
    return original


def original_picture(path: Path, given: Mapping[str, Any]) -> Original:
    """What the picture says. Raises Stop if that is not enough, with what is `given` besides."""
    from tintype.engine.images.metadata import read_metadata

    image = read_file(path)
    try:
        metadata = read_metadata(image)
    except ValueError as problem:
        raise Stop(f"{path} is {problem}") from None
    said, description = metadata.get("inputs"), metadata.get("description")
    inputs = {name: said[name] for name in DRAWN_AGAIN if name in said} if isinstance(said, dict) else {}
    model = description.get("model") if isinstance(description, dict) else None
    missing = [name for name in DRAWN_AGAIN if name not in inputs and name not in given]
    if missing:
        raise Stop(f"{path} does not say what it was drawn from: it lacks {', '.join(missing)}")
    if metadata.get("promptShortened") and "prompt" not in given:
        raise Stop(f"{path} does not hold the whole prompt, which is too long for a JPEG; give it anew")
    return Original(
        name=str(path),
        inputs=inputs,
        model=model if isinstance(model, str) else "",
        metadata=metadata,
        image=image,
    )


def original_task(name: str, client: "Client") -> Original:
    """The task's inputs as it was given them; what its picture says of them counts more, since a model's
    defaults may have changed. Raises Stop."""
    from tintype.engine.images.metadata import read_metadata

    task = client.task(name)
    image = _picture_of(task, client)
    metadata = read_metadata(image) if image else {}
    said = metadata.get("inputs")
    settled = said if isinstance(said, dict) and not metadata.get("promptShortened") else {}
    return Original(
        name=f"task {task.id}",
        inputs={name: value for name, value in {**task.parameters, **settled}.items() if name != IDEMPOTENCY},
        model=task.model,
        metadata=metadata,
        image=image,
    )


def _picture_of(task: "Task", client: "Client") -> bytes | None:
    """None where there is none any more."""
    from tintype_client import ClientError

    if not task.outputs:
        return None
    try:
        return client.download(task.outputs[0])
    except ClientError:
        return None


def demand_references(original: Original, files: Sequence[Path | str]) -> None:
    """Raises Stop unless the files are the original's reference pictures. A URL is taken at its word."""
    import hashlib

    wanted = original.digests
    if len(files) != len(wanted):
        raise Stop(
            f"{original.name} was drawn after {len(wanted)} pictures, which it does not contain; "
            "give them with --image, in their order"
            if wanted
            else f"{original.name} was drawn from its prompt alone; leave out --image"
        )
    for number, (file, digest) in enumerate(zip(files, wanted, strict=True), start=1):
        if isinstance(file, Path) and hashlib.sha256(read_file(file)).hexdigest() != digest:
            raise Stop(f"--image {file} is not picture {number} that {original.name} was drawn after")


def tell_of(original: Original, file: Path) -> None:
    """Says on stderr how the picture that was drawn again compares, by what the two say of themselves."""
    from tintype.engine.images.metadata import read_metadata

    image = read_file(file)
    warn_of_changes(original, read_metadata(image))
    tell_likeness(original, image)


def warn_of_changes(original: Original, now: Mapping[str, Any]) -> None:
    """Says on stderr what else draws than drew the original, by what `now` tells of itself."""
    from tintype.engine.images.comparing import changes

    for change in changes(original.metadata, now):
        typer.echo(f"drawn otherwise than {plain(original.name)}: {plain(change)}", err=True)


def tell_likeness(original: Original, image: bytes) -> None:
    """Says on stderr whether the pixels are those of the original, if its inputs were taken as they are."""
    from tintype.engine.images.comparing import difference
    from tintype.engine.images.metadata import read_inputs

    name = plain(original.name)
    if original.image is None:
        typer.echo(f"{name} has no picture any more to compare with", err=True)
        return
    before, after = read_inputs(original.image), read_inputs(image)
    if others := [each for each in before.keys() & after.keys() if before[each] != after[each]]:
        typer.echo(f"other inputs than {name}: {plain(', '.join(sorted(others)))}", err=True)
        return
    found = difference(original.image, image)
    if found is None:
        typer.echo(f"NOT the same as {name}: another size", err=True)
    elif found.pixels:
        words = f"{found.pixels} of {found.of} pixels differ, by {found.most}/255 at most"
        typer.echo(f"NOT the same as {name}: {words}", err=True)
    else:
        typer.echo(f"the same pixels as {name}", err=True)
