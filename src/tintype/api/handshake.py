"""The opening of a WebSocket. What cannot be one is refused like all requests: JSON, for any origin."""

import http
from typing import Final

from websockets.datastructures import Headers
from websockets.http11 import Request, Response
from websockets.server import ServerProtocol

from tintype.api.answers import fault, refusal
from tintype.api.edge import ANY_ORIGIN
from tintype.domain.errors import BadHandshake, HeadersTooLarge, TintypeError, UnknownPath

PATH: Final = "/v1"
SWITCHING: Final = 101


class Handshakes(ServerProtocol):
    """The protocol of one connection, with refusals in the words of the service."""

    def accept(self, request: Request) -> Response:
        """101, or why not."""
        response = super().accept(request)
        if response.status_code == SWITCHING:
            return response
        if request.method != "GET" or request.path.partition("?")[0] != PATH:
            return denial(UnknownPath())
        return denial(BadHandshake(problem=self.handshake_exc))

    def reject(self, status: int, text: str) -> Response:
        """What is said if the head cannot be read, or if the server fails before there is a WebSocket."""
        return denial(None if status >= http.HTTPStatus.INTERNAL_SERVER_ERROR else HeadersTooLarge())


def denial(error: TintypeError | None) -> Response:
    """The answer that ends the connection; without an error the server is at fault."""
    answer = fault() if error is None else refusal(error)
    fields = [*answer.raw_headers, *ANY_ORIGIN, (b"connection", b"close")]
    headers = Headers([(name.decode("latin-1"), value.decode("latin-1")) for name, value in fields])
    status = http.HTTPStatus(answer.status_code)
    return Response(status.value, status.phrase, headers, bytes(answer.body))
