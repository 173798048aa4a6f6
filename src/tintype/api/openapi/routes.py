"""Answers `/openapi.json` and `/docs`."""

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tintype.api.answers import JSON, answering
from tintype.api.openapi.document import openapi
from tintype.api.openapi.page import POLICY, page
from tintype.domain.catalogue import Catalogue

HTML = "text/html; charset=utf-8"
ALWAYS = {"x-content-type-options": "nosniff", "cache-control": "no-cache"}


def routes(catalogue: Catalogue, public_url: str) -> list[Route]:
    """Both; what they answer is made once."""
    document = openapi(catalogue, public_url)
    description = msgspec.json.encode(document)
    reading = page(document).encode()

    async def describe(_: Request) -> Response:
        return Response(
            description, headers={**ALWAYS, "content-type": JSON, "access-control-allow-origin": "*"}
        )

    async def show(_: Request) -> Response:
        headers = {
            "content-type": HTML,
            "content-security-policy": POLICY,
            "referrer-policy": "no-referrer",
            "x-frame-options": "DENY",
        }
        return Response(reading, headers={**ALWAYS, **headers})

    return [Route("/openapi.json", answering(describe)), Route("/docs", answering(show))]
