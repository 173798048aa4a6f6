"""The client: one POST, or one fetch with its redirects, within a time and a size."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

import aiohttp
import msgspec
from yarl import URL

import tintype
from tintype.domain.errors import (
    AddressRefused,
    NoWebAddress,
    TooLarge,
    TooSlow,
    Unreachable,
    UnusableAnswer,
)
from tintype.domain.web_address import SHOWN, read_web_address, shown_address
from tintype.outbound.connecting import NotPublic, connector

CHUNK = 64 * 1024
REDIRECTS = frozenset({301, 302, 303, 307, 308})
LAST_WORDS = 2.0
"""Seconds for the beginning of an answer whose status is known."""

Sink = Callable[[bytes], object]


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """What a server answered to a POST."""

    status: int
    beginning: bytes
    """Of the body."""


class Fetched(msgspec.Struct, frozen=True, kw_only=True):
    """What was fetched; its bytes went elsewhere."""

    url: str
    """After all redirects."""
    content_type: str
    """As declared, without parameters; `""` if nothing was."""
    size: int
    """Bytes."""


class Outbound:
    """Speaks to servers of the public internet alone, unless it was opened otherwise.

    Ignores proxies of the environment, keeps no cookies and no connections.
    """

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def post(
        self, url: str, body: bytes, *, headers: Mapping[str, str], within: float, excerpt: int = 1024
    ) -> Answered:
        """The answer, whatever its status; redirects are not followed.

        `within` is in seconds, `excerpt` the bytes of the answer's body to keep. Raises NoWebAddress,
        AddressRefused, Unreachable, TooSlow.
        """
        target = _target(url)
        with _named_errors(target, within):
            async with (
                asyncio.timeout(within) as limit,
                self._ask("POST", target, headers, body) as response,
            ):
                last = limit.when() or 0.0
                limit.reschedule(None)  # it has answered, however slowly the rest comes
                return Answered(status=response.status, beginning=await _beginning(response, excerpt, last))

    async def fetch(
        self, url: str, into: Sink, *, largest: int, within: float, redirects: int = 5
    ) -> Fetched:
        """Gives the bytes of the URL, chunk by chunk, to `into`, such as `file.write` or `bytearray.extend`.

        `largest` is in bytes, `within` in seconds for everything together; at most `redirects` are followed,
        each checked anew. Raises NoWebAddress, AddressRefused, Unreachable, TooSlow, TooLarge and
        UnusableAnswer, and then `into` may have been given a part; what `into` raises comes as it is.
        """
        target = _target(url)
        with _named_errors(target, within):
            async with asyncio.timeout(within):
                for _ in range(redirects + 1):
                    async with self._ask("GET", target, {"accept-encoding": "identity"}) as response:
                        if response.status not in REDIRECTS:
                            return await _receive(response, into, largest)
                        target = _next_address(target, response)
        raise UnusableAnswer(host=target.host, problem=f"more than {redirects} redirects")

    @asynccontextmanager
    async def _ask(
        self, method: str, target: URL, headers: Mapping[str, str], body: bytes | None = None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        try:
            response = await self._session.request(
                method, target, headers=headers, data=body, allow_redirects=False
            )
        except (aiohttp.ClientError, ssl.SSLError):
            raise
        except ValueError as problem:  # of an address that only the client finds unusable
            raise NoWebAddress(url=shown_address(str(target))) from problem
        async with response:
            yield response


@asynccontextmanager
async def open_outbound(*, allow_private: bool = False) -> AsyncIterator[Outbound]:
    """A client until the context ends. With `allow_private` it speaks to any address."""
    async with aiohttp.ClientSession(
        connector=connector(allow_private=allow_private),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"user-agent": f"Tintype/{tintype.__version__}"},
        timeout=aiohttp.ClientTimeout(total=None),
        auto_decompress=False,
        trust_env=False,
    ) as session:
        yield Outbound(session)


def _target(text: str) -> URL:
    """The URL to ask, as it is if it is ASCII. Raises NoWebAddress."""
    address = read_web_address(text)
    return URL(address.url, encoded=address.url.isascii())


def _next_address(asked: URL, response: aiohttp.ClientResponse) -> URL:
    location = response.headers.get("location", "")
    if not location:
        raise UnusableAnswer(host=asked.host, problem="a redirect to nowhere")
    try:
        return _target(str(asked.join(URL(location, encoded=location.isascii()))))
    except ValueError:
        raise NoWebAddress(url=shown_address(location)) from None


async def _beginning(response: aiohttp.ClientResponse, size: int, last: float) -> bytes:
    """What comes of the body in a short time, before the `last` moment of the event loop's clock: the status
    has said what matters."""
    body = bytearray()
    with suppress(TimeoutError, aiohttp.ClientError):
        async with asyncio.timeout_at(min(last, asyncio.get_running_loop().time() + LAST_WORDS)):
            while len(body) < size and (chunk := await response.content.read(size - len(body))):
                body += chunk
    return bytes(body)


async def _receive(response: aiohttp.ClientResponse, into: Sink, largest: int) -> Fetched:
    host = response.url.host
    if response.status != 200:
        raise UnusableAnswer(host=host, problem=f"HTTP {response.status}")
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        raise UnusableAnswer(host=host, problem="a compressed body, though it was asked for a plain one")
    if (response.content_length or 0) > largest:
        raise TooLarge(host=host, largest=largest)
    size = 0
    async for chunk in response.content.iter_chunked(CHUNK):
        size += len(chunk)
        if size > largest:
            raise TooLarge(host=host, largest=largest)
        into(chunk)
    declared = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    return Fetched(url=str(response.url), content_type=declared, size=size)


@contextmanager
def _named_errors(target: URL, within: float) -> Any:
    """What can go wrong between two servers, in the words of `tintype.domain.errors`."""
    host = target.host
    try:
        yield
    except TimeoutError:
        raise TooSlow(host=host, seconds=f"{within:g}") from None
    except aiohttp.InvalidURL as problem:
        raise NoWebAddress(url=shown_address(str(target))) from problem
    except aiohttp.ClientConnectorError as problem:
        if isinstance(problem.os_error, NotPublic):
            raise AddressRefused(host=host) from None
        raise Unreachable(host=problem.host, problem=_reason(problem)) from problem
    except (aiohttp.ClientError, ConnectionError, ssl.SSLError) as problem:
        raise Unreachable(host=host, problem=_reason(problem)) from problem


def _reason(problem: BaseException) -> str:
    match problem:
        case aiohttp.ClientConnectorDNSError():
            return "its name is not known"
        case aiohttp.ClientConnectorCertificateError():
            cause = problem.certificate_error
            return getattr(cause, "verify_message", "") or "its certificate is not valid"
        case aiohttp.ClientConnectorError():
            cause = problem.os_error
            return "TLS failed" if isinstance(cause, ssl.SSLError) else cause.strerror or str(cause)
        case aiohttp.ServerDisconnectedError():
            return "it closed the connection"
        case _:
            return " ".join(str(problem).split())[:SHOWN] or type(problem).__name__
