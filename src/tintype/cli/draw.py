"""`tintype draw`: a picture without a server."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tintype.cli.display import Display, display
from tintype.cli.exits import Exit
from tintype.cli.pictures import demand_writable, format_of, write_picture
from tintype.cli.refusals import Stop

if TYPE_CHECKING:
    from tintype.domain.catalogue import Catalogue
    from tintype.engine.process import HostProcess
    from tintype.engine.protocol import Drawn, Job
    from tintype.settings import Settings

DEFAULT_MODEL = "black-forest-labs/flux-2-flex-t2i"


def draw(
    prompt: Annotated[str, typer.Argument(help="What to draw.")],
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
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="File to write; overwritten. Default: a new file named after the prompt."
        ),
    ] = None,
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
        str, typer.Option(help="The model page whose limits and defaults count.", metavar="OWNER/MODEL")
    ] = DEFAULT_MODEL,
) -> None:
    """Draw a picture on this machine, without a server.

    Ctrl-C stops it. The name of the file goes to stdout, progress to stderr.
    """
    import asyncio

    from msgspec.structs import replace

    from tintype.domain.catalogue import load_catalogue
    from tintype.domain.source import Source
    from tintype.settings import read_settings

    demand_writable(output)
    settings = read_settings(overrides={"weights": weights, "device": device})
    inputs = {
        "prompt": prompt,
        "width": width,
        "height": height,
        "steps": steps,
        "guidance": guidance,
        "seed": seed,
        "outputFormat": output_format or format_of(output),
    }
    job = asyncio.run(_job(load_catalogue(settings.catalogue), model, inputs, settings))
    if weights is not None:
        job = replace(job, source=Source())
    try:
        with display() as show:
            drawn = asyncio.run(_drawn(job, settings, show))
    except KeyboardInterrupt:
        raise Stop("interrupted; nothing was written", Exit.INTERRUPTED) from None
    typer.echo(write_picture(drawn.image, to=output, prompt=prompt, content_type=drawn.content_type))


async def _job(catalogue: "Catalogue", model: str, given: dict[str, Any], settings: "Settings") -> "Job":
    """The job that the inputs ask for, checked and moderated like a request to a server.

    Raises InvalidInputs, BadTerms.
    """
    from tintype.bootstrap import moderating_of, sources_of
    from tintype.domain.errors import UnknownModel
    from tintype.domain.inputs import read_inputs
    from tintype.engine.protocol import job_of
    from tintype.moderation.policy import Policy

    try:
        page = catalogue[model]
    except UnknownModel:
        known = ", ".join(each.slug for each in catalogue.models)
        raise Stop(f"{model!r} is no model here; there is {known}") from None
    inputs = read_inputs(page, given)
    moderating = moderating_of(settings)
    if refusal := await moderating.judge(inputs, Policy()):
        raise Stop(str(refusal), Exit.FAILED)
    screen = moderating.screen(inputs, Policy())
    source = sources_of(settings, catalogue)(page.slug)
    return job_of(inputs, id="picture", model=page.slug, screen=screen, source=source)


async def _drawn(job: "Job", settings: "Settings", show: Display) -> "Drawn":
    """The picture. When this is cancelled the engine ends with it."""
    from msgspec.structs import replace

    from tintype.bootstrap import limits_of
    from tintype.engine.process import start_host

    show.show("loading the model")
    base, job = job.source.weights, replace(job, source=replace(job.source, weights=""))
    async with start_host(
        weights=base or settings.weights,
        device=settings.device,
        threads=settings.threads,
        places=settings.places,
        limits=limits_of(settings),
        acceleration=settings.acceleration,
        on_log=lambda line: None,  # what matters of it is in the error
    ) as host:
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
