"""`tintype serve`: API, worker and engine on one machine."""

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tintype.cli.local import announced
from tintype.cli.welcome import first_start, later_start

if TYPE_CHECKING:
    from tintype.bootstrap.welcome import Welcome


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on. [TINTYPE_HOST]")] = None,
    port: Annotated[
        int | None, typer.Option(help="Port to listen on. [TINTYPE_PORT]", min=0, max=65535)
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="Folder of everything that must survive. [TINTYPE_DATA]")
    ] = None,
    config: Annotated[Path | None, typer.Option(help="A TOML file with settings. [TINTYPE_CONFIG]")] = None,
) -> None:
    """Serve: API, worker and engine on this machine.

    The first Ctrl-C or SIGTERM lets running tasks finish, the second puts them back into the queue.
    """
    import asyncio
    import dataclasses
    import os

    import uvloop

    from tintype.bootstrap import serving
    from tintype.settings import read_settings

    environment = os.environ | ({"TINTYPE_CONFIG": str(config)} if config else {})
    settings = read_settings(environment, overrides={"host": host, "port": port, "data": data})
    own_url = dataclasses.replace(settings, public_url="").public_url
    with ExitStack() as until_stopped:

        def welcome(said: "Welcome") -> None:
            until_stopped.enter_context(announced(own_url, settings.data))
            typer.echo(text_of(said))

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serving.serve(settings, welcome=welcome))


def text_of(welcome: "Welcome") -> str:
    """The credentials are shown when the project is new, and never again."""
    if welcome.secret is None:
        return later_start(url=welcome.url)
    project = welcome.project
    return first_start(url=welcome.url, name=project.name, key=project.key, secret=welcome.secret)
