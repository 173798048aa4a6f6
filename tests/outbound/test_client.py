"""Requests to servers that callers name: to public addresses alone, within a time and a size."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from ipaddress import ip_network
from urllib.parse import quote

import pytest

from receiver import Answer, Asked, Reply, receiving
from tintype.domain.errors import (
    AddressRefused,
    NoWebAddress,
    OutboundError,
    TooLarge,
    TooSlow,
    Unreachable,
    UnusableAnswer,
)
from tintype.outbound import Answered, Fetched, Outbound, addresses, open_outbound

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def guarded() -> AsyncIterator[Outbound]:
    async with open_outbound() as outbound:
        yield outbound


@pytest.fixture
async def trusting() -> AsyncIterator[Outbound]:
    """For servers on this machine."""
    async with open_outbound(allow_private=True) as outbound:
        yield outbound


async def post(outbound: Outbound, url: str, *, within: float = 20.0) -> Answered:
    return await outbound.post(url, b"{}", headers={"x-test": "yes"}, within=within)


async def fetch(
    outbound: Outbound, url: str, *, largest: int = 2**20, within: float = 20.0, redirects: int = 5
) -> tuple[bytes, Fetched]:
    content = bytearray()
    fetched = await outbound.fetch(url, content.extend, largest=largest, within=within, redirects=redirects)
    return bytes(content), fetched


# Addresses


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1", "2130706433", "0x7f000001", "0.0.0.0"])
async def test_this_machine_gets_no_request(guarded: Outbound, host: str) -> None:
    with receiving() as receiver:
        for ask in (post, fetch):
            with pytest.raises(OutboundError) as refused:
                await ask(guarded, f"http://{host}:{receiver.port}/")

            assert isinstance(refused.value, AddressRefused | NoWebAddress | Unreachable)

    assert receiver.asked == []


@pytest.mark.parametrize(
    "host", ["10.0.0.1", "169.254.169.254", "[::1]", "[::ffff:127.0.0.1]", "[fd00:ec2::254]", "[fe80::1]"]
)
async def test_no_connection_is_tried_to_an_address_that_is_not_public(guarded: Outbound, host: str) -> None:
    with pytest.raises(AddressRefused, match="is not at a public address") as refused:
        await post(guarded, f"http://{host}/latest/meta-data")

    assert "latest" not in str(refused.value)


async def test_each_redirect_is_checked_anew(guarded: Outbound, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addresses, "PRIVATE_V4", (ip_network("127.0.0.2/32"),))

    with receiving(host="127.0.0.2") as hidden:
        moved = Reply(302, headers={"location": f"{hidden.url}/secret"})
        with receiving(lambda _: moved) as public, pytest.raises(AddressRefused):
            await fetch(guarded, public.url)

    assert len(public.asked) == 1
    assert hidden.asked == []


async def test_an_operator_may_allow_this_machine(trusting: Outbound) -> None:
    with receiving(lambda _: Reply(201, b"thanks")) as receiver:
        assert await post(trusting, f"{receiver.url}/hook?a=b") == Answered(status=201, beginning=b"thanks")

    (asked,) = receiver.asked
    assert (asked.method, asked.path, asked.body, asked.headers["x-test"]) == (
        "POST",
        "/hook?a=b",
        b"{}",
        "yes",
    )
    assert asked.headers["user-agent"].startswith("Tintype/")


async def test_a_proxy_of_the_environment_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with receiving() as proxy, receiving() as receiver:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        async with open_outbound(allow_private=True) as outbound:
            await post(outbound, receiver.url)

    assert (len(proxy.asked), len(receiver.asked)) == (0, 1)


# What is no address at all


@pytest.mark.parametrize(
    "url",
    [
        *(
            "",
            "/hook",
            "example.org/hook",
            "ftp://example.org/",
            "file:///etc/passwd",
            "http://",
            "https:///x",
        ),
        *(
            "http://a b/",
            "http://example.org/\r\nx: y",
            "http://[::1",
            "http://example.org:99999/",
            "http://:80",
        ),
        *(
            "http://example.org:0/",
            "javascript:alert(1)",
            "You can provide a callback URL",
            "http://exa\x00mple/",
            "http://a%3Ab:pw@example.com/",
            "http://%D0%B0:pw@example.com/",
            "http://a:%E2%82%AC@example.com/",
        ),
        "http://" + "a" * 70 + "." + "b" * 300 + "/",
    ],
)
async def test_what_is_no_web_address_is_said_to_be_none(guarded: Outbound, url: str) -> None:
    with pytest.raises(OutboundError) as refused:
        await post(guarded, url, within=5)

    assert len(str(refused.value)) < 500
    if len(url) < 100:
        assert isinstance(refused.value, NoWebAddress)


async def test_a_url_is_asked_as_it_was_given(trusting: Outbound) -> None:
    with receiving() as receiver:
        await fetch(trusting, f"{receiver.url}/a%2Fb/%7Ec?sign=a%2Bb%3D#part")
        await fetch(trusting, f"{receiver.url}/grüße")

    assert [asked.path for asked in receiver.asked] == [
        "/a%2Fb/%7Ec?sign=a%2Bb%3D",
        "/" + quote("grüße"),
    ]


# Redirects


async def test_a_post_follows_no_redirect(trusting: Outbound) -> None:
    with receiving(lambda _: Reply(307, headers={"location": "/elsewhere"})) as receiver:
        assert (await post(trusting, receiver.url)).status == 307

    assert len(receiver.asked) == 1


def moving(times: int) -> Answer:
    def answer(asked: Asked) -> Reply:
        number = int(asked.path.rsplit("/", 1)[-1])
        return Reply(302, headers={"location": f"../{number + 1}"}) if number < times else Reply(200, b"here")

    return answer


async def test_a_fetch_follows_as_many_redirects_as_it_may(trusting: Outbound) -> None:
    with receiving(moving(2)) as receiver:
        content, fetched = await fetch(trusting, f"{receiver.url}/0", redirects=2)
        with pytest.raises(UnusableAnswer, match="answered with more than 1 redirects"):
            await fetch(trusting, f"{receiver.url}/0", redirects=1)

    assert (content, fetched.url) == (b"here", f"{receiver.url}/2")


@pytest.mark.parametrize("location", ["file:///etc/passwd", "gopher://127.0.0.1/", "http://[::1"])
async def test_a_redirect_leads_to_the_web_alone(trusting: Outbound, location: str) -> None:
    with (
        receiving(lambda _: Reply(302, headers={"location": location})) as receiver,
        pytest.raises(NoWebAddress),
    ):
        await fetch(trusting, receiver.url)


# Sizes


async def test_a_file_is_fetched_with_its_declared_type(trusting: Outbound) -> None:
    picture = bytes(range(256)) * 1000
    reply = Reply(200, picture, {"content-type": "Image/PNG; charset=x"})
    with receiving(lambda _: reply) as receiver:
        content, fetched = await fetch(trusting, f"{receiver.url}/a.png", largest=len(picture))

    assert content == picture
    assert (fetched.content_type, fetched.size) == ("image/png", len(picture))


async def test_what_announces_too_much_is_not_read(trusting: Outbound) -> None:
    with (
        receiving(lambda _: Reply(200, b"x" * 1001)) as receiver,
        pytest.raises(TooLarge, match="sends more than 1000 bytes"),
    ):
        await fetch(trusting, receiver.url, largest=1000)


async def test_what_never_ends_is_left(trusting: Outbound) -> None:
    with receiving(lambda _: Reply(200, b"x" * 65536, endless=True)) as receiver:
        with pytest.raises(TooLarge):
            await fetch(trusting, receiver.url, largest=10 * 2**20)
        answered = await post(trusting, receiver.url)

    assert answered.beginning == b"x" * 1024


async def test_a_compressed_body_is_refused(trusting: Outbound) -> None:
    with (
        receiving(lambda _: Reply(200, b"...", {"content-encoding": "gzip"})) as receiver,
        pytest.raises(UnusableAnswer, match="a compressed body"),
    ):
        await fetch(trusting, receiver.url)

    assert receiver.asked[0].headers["accept-encoding"] == "identity"


async def test_a_fetch_needs_a_success(trusting: Outbound) -> None:
    with (
        receiving(lambda _: Reply(404, b"no")) as receiver,
        pytest.raises(UnusableAnswer, match=r"127\.0\.0\.1 answered with HTTP 404"),
    ):
        await fetch(trusting, receiver.url)


async def test_a_full_disk_is_not_the_servers_fault(trusting: Outbound) -> None:
    def full(chunk: bytes) -> None:
        raise OSError(28, "No space left on device")

    with receiving(lambda _: Reply(200, b"...")) as receiver, pytest.raises(OSError, match="No space left"):
        await trusting.fetch(receiver.url, full, largest=10, within=10)


# Times


async def test_a_slow_server_is_left(trusting: Outbound) -> None:
    with receiving(lambda _: Reply(slowly=30)) as receiver:
        began = time.monotonic()
        for ask in (post, fetch):
            with pytest.raises(TooSlow, match=r"took longer than 0\.3 s"):
                await ask(trusting, receiver.url, within=0.3)

    assert time.monotonic() - began < 10


@asynccontextmanager
async def raw_server(speak: Callable[[asyncio.StreamWriter], Awaitable[None]]) -> AsyncIterator[int]:
    """The port of a server that says what it likes to whoever calls."""
    calls: set[asyncio.Task[None] | None] = set()

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        calls.add(asyncio.current_task())
        with suppress(OSError):
            await speak(writer)
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
        await asyncio.gather(*(call for call in calls if call))


async def test_a_body_that_comes_in_drops_is_left(trusting: Outbound) -> None:
    async def drip(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.05)

    async with raw_server(drip) as port:
        with pytest.raises(TooSlow):
            await fetch(trusting, f"http://127.0.0.1:{port}", within=1)
        answered = await post(trusting, f"http://127.0.0.1:{port}")

    assert answered.status == 200  # what counts was said at the beginning
    assert answered.beginning.startswith(b"x")


async def test_an_answer_whose_body_is_late_is_an_answer(trusting: Outbound) -> None:
    async def dawdle(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhal")
        await writer.drain()
        await asyncio.sleep(1.8)

    async with raw_server(dawdle) as port:
        began = time.monotonic()
        answered = await post(trusting, f"http://127.0.0.1:{port}", within=1)
        took = time.monotonic() - began

    assert answered == Answered(status=200, beginning=b"hal")
    assert took < 1.7


# Whoever does not answer


async def test_why_a_server_cannot_be_reached_is_said(trusting: Outbound) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        with pytest.raises(Unreachable, match=r"127.0.0.1 cannot be reached: .*(refused|failed)"):
            await post(trusting, f"http://127.0.0.1:{closed.getsockname()[1]}")
    with pytest.raises(Unreachable, match="its name is not known"):
        await post(trusting, "http://nobody.invalid/")


async def test_what_speaks_no_http_is_not_understood(trusting: Outbound) -> None:
    async def mumble(writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")
        await writer.drain()

    async with raw_server(mumble) as port:
        for scheme in ("http", "https"):
            with pytest.raises(Unreachable):
                await fetch(trusting, f"{scheme}://127.0.0.1:{port}")
