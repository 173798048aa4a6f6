"""The application: every endpoint of the protocol, put together."""

from collections.abc import Mapping
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response

from tintype.api import health, socket
from tintype.api.answers import fault, refusal
from tintype.api.auth import NONCE_WINDOW, Authenticator
from tintype.api.bodies import BodyReader
from tintype.api.body_digest import BodyDigests
from tintype.api.edge import Edge
from tintype.api.files import Files
from tintype.api.following import Following
from tintype.api.openapi import routes as openapi
from tintype.api.proxies import Proxies
from tintype.api.rates import RateLimits
from tintype.api.run import Run
from tintype.api.sync import LONGEST, Sync
from tintype.api.tasks import Tasks
from tintype.api.tools import Tools
from tintype.api.uploads import Uploads
from tintype.domain.addresses import Network
from tintype.domain.errors import UnknownPath
from tintype.domain.rate import Limited, Rate
from tintype.service import Service

MIB = 2**20


def create_app(
    service: Service,
    *,
    following: Following,
    ready: health.Ready,
    largest_body: int = 16 * MIB,
    largest_file: int = 100 * MIB,
    spool: Path | None = None,
    rates: Mapping[Limited, Rate | None] | None = None,
    nonce_window: float = NONCE_WINDOW,
    trusted_proxies: tuple[Network, ...] = (),
    longest_wait: float = LONGEST,
) -> Starlette:
    """The application that serves `service`. Sizes are in bytes, the window and the wait are in seconds.

    `rates` hold for projects that have none of their own; uploads pass through the folder `spool`.
    """
    authenticator = Authenticator(service, nonce_window=nonce_window)
    limits = RateLimits(service, rates=rates or {})
    bodies = BodyReader(largest=largest_body, largest_file=largest_file, folder=spool)
    run = Run(service, authenticator=authenticator, bodies=bodies, rates=limits)
    app = Starlette(
        routes=[
            *Tasks(service, authenticator=authenticator, bodies=bodies).routes(),
            *run.routes(),
            *Sync(service, run=run.run, following=following, longest=longest_wait).routes(),
            *Tools(service, authenticator=authenticator, bodies=bodies).routes(),
            *Files(service).routes(),
            *Uploads(service, authenticator=authenticator, bodies=bodies, rates=limits).routes(),
            *health.routes(ready),
            *openapi.routes(service.catalogue, service.public_url),
            *socket.routes(following),
        ],
        middleware=[
            Middleware(Proxies, trusted=trusted_proxies),
            Middleware(Edge),
            Middleware(BodyDigests),
        ],
        exception_handlers={HTTPException: _no_such_path, Exception: _fault},
    )
    app.router.redirect_slashes = False
    return app


async def _no_such_path(_: Request, __: Exception) -> Response:
    """Of all that routing can complain about: no such path, or not with this method."""
    return refusal(UnknownPath())


async def _fault(_: Request, __: Exception) -> Response:
    return fault()
