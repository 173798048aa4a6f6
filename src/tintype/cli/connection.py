"""Which server to talk to, and as whom: options, then the environment, then the server of this folder."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from tintype.cli.exits import Exit
from tintype.cli.refusals import Stop

if TYPE_CHECKING:
    from tintype.cli.local import LocalServer
    from tintype_client import Client

SIGN_REQUESTS = "TINTYPE_SIGN_REQUESTS"

_PANEL = "Server and credentials (default: the server that was started in this folder)"
Url = Annotated[
    str | None,
    typer.Option("--url", envvar="TINTYPE_URL", help="Address of the server.", rich_help_panel=_PANEL),
]
Key = Annotated[
    str | None,
    typer.Option("--key", envvar="TINTYPE_KEY", help="API key of a project.", rich_help_panel=_PANEL),
]
Secret = Annotated[
    str | None,
    typer.Option("--secret", envvar="TINTYPE_SECRET", help="Its API secret.", rich_help_panel=_PANEL),
]


@contextmanager
def connect(*, url: str | None, key: str | None, secret: str | None) -> "Iterator[Client]":
    """A client for the server that is meant. Raises Stop if it is not clear which, or as whom."""
    from tintype_client import Client, Unauthorized

    if url is not None and not url.lower().startswith(("http://", "https://")):
        raise Stop(f"--url {url}: an address begins with http:// or https://, such as http://127.0.0.1:8080")
    if key is None:
        server = _local(url)
        url, key, secret, signs = server.url, server.key, server.secret, server.signs
    else:
        signs = _signs_requests(secret)
    with Client(url or _default_url(), key, secret, sign_requests=signs) as client:
        try:
            yield client
        except Unauthorized as problem:
            hint = "check --key and --secret, or TINTYPE_KEY and TINTYPE_SECRET"
            raise Stop(f"{problem} ({hint})", Exit.REFUSED) from None


def _default_url() -> str:
    from tintype.settings import read_settings

    return read_settings().public_url


def _signs_requests(secret: str | None) -> bool:
    """Whether the environment wants whole requests to be signed. Raises Stop."""
    import os

    wanted = os.environ.get(SIGN_REQUESTS, "off").strip().lower() or "off"
    if wanted not in ("on", "off"):
        raise Stop(f"{SIGN_REQUESTS}: must be on or off, not {wanted!r}")
    if wanted == "on" and not secret:
        raise Stop(f"{SIGN_REQUESTS} needs a secret: give --secret, or set TINTYPE_SECRET")
    return wanted == "on"


def _local(url: str | None) -> "LocalServer":
    """The server whose data folder is here. Credentials never go to another address than its own."""
    from tintype.cli.local import local_server

    server = local_server()
    if server is None:
        raise Stop(
            "no API key: give --key and --secret, or set TINTYPE_KEY and TINTYPE_SECRET, "
            "or call this in the folder where `tintype serve` runs"
        )
    if url is not None and url.rstrip("/") != server.url:
        raise Stop(f"no API key for {url}: give --key and --secret, or set TINTYPE_KEY and TINTYPE_SECRET")
    return server
