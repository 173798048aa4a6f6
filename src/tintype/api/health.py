"""Whether the process lives, and whether it can serve. For supervisors and load balancers."""

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

Ready = Callable[[], bool]
"""Whether every part that this process needs is up."""


def routes(ready: Ready) -> list[Route]:
    """`/livez` and `/readyz`."""

    async def livez(_: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(_: Request) -> Response:
        return PlainTextResponse("ok\n") if ready() else PlainTextResponse("not ready\n", 503)

    return [Route("/livez", livez), Route("/readyz", readyz)]
