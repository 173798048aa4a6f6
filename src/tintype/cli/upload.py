"""`tintype upload`: files that a server keeps, to be named in runs."""

from pathlib import Path
from typing import Annotated

import typer

from tintype.cli.connection import Key, Secret, Url, connect
from tintype.cli.printing import print_json
from tintype.cli.refusals import Stop
from tintype.cli.sources import source


def upload(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="What to keep.")],
    folder: Annotated[
        str | None, typer.Option(help="Name of a folder to put them into; made if missing.", metavar="NAME")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what the server says of them.")] = False,
    url: Url = None,
    key: Key = None,
    secret: Secret = None,
) -> None:
    """Keep files on a server, and print their addresses."""
    from tintype_client.calls import UPLOAD_PATIENCE

    paths = [_file(text) for text in files]
    with connect(url=url, key=key, secret=secret) as client:
        place = client.create_folder(folder) if folder else None
        for path in paths:
            if not as_json:
                typer.echo(client.upload(path, folder=place).url)
                continue
            named = {"file": path, "folderid": place.id if place else None}
            kept = client.call("/v1/File/Upload", named, patience=UPLOAD_PATIENCE)
            print_json(kept["list"][0])


def _file(text: str) -> Path:
    path = source(text)
    if isinstance(path, str):
        raise Stop(f"{text} is on the web already; only files are uploaded")
    return path
