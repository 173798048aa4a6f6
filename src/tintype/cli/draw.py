"""`tintype draw`: a picture without a server."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tintype.cli.again import demand_references, original_picture, tell_likeness, warn_of_changes
from tintype.cli.display import Display, display
from tintype.cli.exits import Exit
from tintype.cli.inspect import read_file
from tintype.cli.models import page_of
from tintype.cli.pictures import Output, demand_writable, format_of, write_picture
from tintype.cli.refusals import Stop

if TYPE_CHECKING:
    from tintype.cli.again import Original
    from tintype.domain.catalogue import Catalogue, Model
    from tintype.engine.process import HostProcess
    from tintype.engine.protocol import Drawn, Job
    from tintype.settings import Settings

DEFAULT_MODEL = "black-forest-labs/flux-2-flex-t2i"
EDITING_MODEL = "black-forest-labs/flux-2-flex"


def draw(
    prompt: Annotated[str | None, typer.Argument(help="What to draw.", show_default=False)] = None,
    again: Annotated[
        Path | None,
        typer.Option(
            help="A picture that Tintype drew, to be drawn again; what is given besides counts more.",
            metavar="PICTURE",
        ),
    ] = None,
    image: Annotated[
        list[Path] | None,
        typer.Option(help="A picture to edit or to draw after; may be repeated.", metavar="FILE"),
    ] = None,
    width: Annotated[str | None, typer.Option(help="In pixels.", metavar="NUMBER")] = None,
    height: Annotated[str | None, typer.Option(help="In pixels.", metavar="NUMBER")] = None,
    steps: Annotated[str | None, typer.Option(help="Number of inference steps.", metavar="NUMBER")] = None,
    guidance: Annotated[
        str | None, typer.Option(help="How closely to follow the prompt.", metavar="NUMBER")
    ] = None,
    seed: Annotated[
        str | None, typer.Option(help="The same seed gives the same picture.", metavar="NUMBER")
    ] = None,
    output_format: Annotated[
        str | None,
        typer.Option("--format", help="png or jpeg. Default: as -o is named, or png.", metavar="FORMAT"),
    ] = None,
    output: Output = None,
    weights: Annotated[
        str | None,
        typer.Option(
            help="A folder or hub id in FLUX.2 format. Default: what the model's page and the settings say."
        ),
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="Where to compute: auto, cpu, cuda, cuda:1, mps.")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            help=f"The model page whose limits and defaults count. Default: {DEFAULT_MODEL}, "
            f"with --image {EDITING_MODEL}.",
            metavar="OWNER/MODEL",
        ),
    ] = None,
) -> None:
    """Draw a picture on this machine, without a server.

    Ctrl-C stops it. The name of the file goes to stdout, progress to stderr.
    """
    import asyncio

    from msgspec.structs import replace

    from tintype.bootstrap.policies import signer_of
    from tintype.domain.catalogue import load_catalogue
    from tintype.domain.source import Source
    from tintype.engine.images.metadata import read_metadata
    from tintype.settings import read_settings
    from tintype.worker.provenance import sign

    demand_writable(output)
    settings = read_settings(overrides={"weights": weights, "device": device})
    signer = signer_of(settings)
    given = {
        "prompt": prompt,
        "width": width,
        "height": height,
        "steps": steps,
        "guidance": guidance,
        "seed": seed,
        "outputFormat": output_format or format_of(output),
    }
    inputs: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    original = None
    if again is not None:
        original = original_picture(again, inputs)
        demand_references(original, image or [])
        inputs, model = {**original.inputs, **inputs}, model or original.model
    elif prompt is None:
        raise Stop("say what to draw: give a prompt, or --again PICTURE")
    model = model or (EDITING_MODEL if image else DEFAULT_MODEL)
    images = [read_file(path) for path in image or ()]
    job = asyncio.run(_job(load_catalogue(settings.catalogue), model, inputs, images, settings))
    if weights is not None:
        job = replace(job, source=Source())
    try:
        with display() as show:
            drawn = asyncio.run(_drawn(job, settings, show, original))
    except KeyboardInterrupt:
        raise Stop("interrupted; nothing was written", Exit.INTERRUPTED) from None
    if signer is not None:
        drawn = sign(signer, drawn, bool(job.images))
    typer.echo(write_picture(drawn.image, to=output, prompt=job.prompt, content_type=drawn.content_type))
    if original is not None:
        if job.source.lora:
            warn_of_changes(original, read_metadata(drawn.image))
        tell_likeness(original, drawn.image)


async def _job(
    catalogue: "Catalogue", model: str, given: dict[str, Any], images: list[bytes], settings: "Settings"
) -> "Job":
    """The job that the inputs ask for, checked and moderated like a request to a server.

    Raises InvalidInputs, BadTerms.
    """
    from tintype.bootstrap.catalogue import sources_of
    from tintype.bootstrap.policies import metadata_of, moderating_of
    from tintype.domain.inputs import read_inputs
    from tintype.engine.protocol import job_of
    from tintype.moderation.policy import Policy

    page = page_of(catalogue, model)
    inputs = read_inputs(page, _sized(page, given, images))
    moderating = moderating_of(settings)
    if refusal := await moderating.judge(inputs, Policy()):
        raise Stop(str(refusal), Exit.FAILED)
    return job_of(
        inputs,
        id="picture",
        model=page.slug,
        images=images,
        screen=moderating.screen(inputs, Policy()),
        source=sources_of(settings, catalogue)(page.slug),
        metadata=metadata_of(settings),
    )


def _sized(page: "Model", given: dict[str, Any], images: list[bytes]) -> dict[str, Any]:
    """The inputs with a size like the first picture's, where there are pictures and no size is given.

    Raises Stop if the model does not take so many pictures.
    """
    from tintype.engine.images.reading import UnusablePicture, size_of
    from tintype.worker.sizing import size_like

    most = max((parameter.most_files for parameter in page.items() if parameter.is_file), default=0)
    if len(images) > most:
        raise Stop(f"{page.slug} takes {most or 'no'} pictures")
    if not images or {"width", "height"} <= given.keys():
        return given
    try:
        width, height = size_like(size_of(images[0]))
    except UnusablePicture as problem:
        raise Stop(f"the first --image {problem}") from None
    return {"width": width, "height": height, **given}


async def _drawn(
    job: "Job", settings: "Settings", show: Display, original: "Original | None" = None
) -> "Drawn":
    """The picture. When this is cancelled the engine ends with it."""
    from msgspec import to_builtins
    from msgspec.structs import replace

    from tintype.bootstrap.engines import host_starter
    from tintype.domain.source import Source

    show.show("loading the model")
    source = job.source
    job = replace(job, source=Source(lora=source.lora, strength=source.strength))
    start = host_starter(settings)
    async with start(
        weights=source.weights or settings.weights,
        **source.placement,
        on_log=lambda line: None,  # what matters of it is in the error
    ) as host:
        if original is not None and not job.source.lora:  # which the host has not loaded yet
            warn_of_changes(original, {**to_builtins(host.ready), "description": job.description})
        try:
            await host.send(job)
            return await _outcome(host, show)
        finally:
            host.kill()


async def _outcome(host: "HostProcess", show: Display) -> "Drawn":
    from tintype.engine.protocol import Drawn, Failed, Progress, Refused, Started
    from tintype.worker.moderating import refusal_of

    async for event in host.events():
        match event:
            case Started():
                show.show("drawing")
            case Progress(step=step, steps=steps, elapsed=elapsed):
                speed = step / elapsed if elapsed > 0 else None
                show.show("drawing", step=step, steps=steps, speed=speed)
            case Failed(reason=reason):
                raise Stop(reason, Exit.FAILED)
            case Refused():
                raise Stop(str(refusal_of(event)), Exit.FAILED)
            case Drawn():
                return event
    raise Stop("the engine ended without a picture", Exit.FAILED)
