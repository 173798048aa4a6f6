"""The application: every endpoint of the protocol, put together."""

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response

from tintype.api import health, socket
from tintype.api.answers import fault, refusal
from tintype.api.auth import Authenticator
from tintype.api.bodies import BodyReader
from tintype.api.edge import Edge
from tintype.api.files import Files
from tintype.api.following import Following
from tintype.api.run import Run
from tintype.api.tasks import Tasks
from tintype.api.tools import Tools
from tintype.domain.errors import UnknownPath
from tintype.service import Service

MIB = 2**20


def create_app(
    service: Service,
    *,
    following: Following,
    ready: health.Ready,
    largest_body: int = 16 * MIB,
    largest_file: int = 100 * MIB,
) -> Starlette:
    """The application that serves `service`. Sizes are in bytes."""
    authenticator = Authenticator(service)
    bodies = BodyReader(largest=largest_body, largest_file=largest_file)
    app = Starlette(
        routes=[
            *Tasks(service, authenticator=authenticator, bodies=bodies).routes(),
            *Run(service, authenticator=authenticator, bodies=bodies).routes(),
            *Tools(service, authenticator=authenticator, bodies=bodies).routes(),
            *Files(service).routes(),
            *health.routes(ready),
            *socket.routes(following),
        ],
        middleware=[Middleware(Edge)],
        exception_handlers={HTTPException: _no_such_path, Exception: _fault},
    )
    app.router.redirect_slashes = False
    return app


async def _no_such_path(_: Request, __: Exception) -> Response:
    """Of all that routing can complain about: no such path, or not with this method."""
    return refusal(UnknownPath())


async def _fault(_: Request, __: Exception) -> Response:
    return fault()
