"""What every bus does, in one process and between machines."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from conformance.nats_server import NatsServer, nats_server
from tintype.bus import Bus, open_bus
from tintype.bus.mailbox import LONGEST
from tintype.domain.errors import BadSetting

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(30)]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def server() -> AsyncIterator[NatsServer]:
    async with nats_server() as server:
        yield server


@pytest.fixture(params=["memory", "nats"])
async def bus(request: pytest.FixtureRequest) -> AsyncIterator[Bus]:
    if request.param == "memory":
        async with open_bus("memory:") as bus:
            yield bus
    else:
        async with nats_server() as server, open_bus(server.url) as bus:
            yield bus


async def take(payloads: AsyncIterator[bytes], count: int) -> list[bytes]:
    async with asyncio.timeout(10):
        return [await anext(payloads) for _ in range(count)]


async def test_a_listener_hears_what_is_published_after_it_came(bus: Bus) -> None:
    await bus.publish("news", b"before")

    async with bus.subscribe("news") as news:
        await bus.publish("news", b"after")

        assert await take(news, 1) == [b"after"]


async def test_payloads_arrive_in_the_order_of_their_publisher(bus: Bus) -> None:
    sent = [str(number).encode() for number in range(500)]

    async with bus.subscribe("news") as news:
        for payload in sent:
            await bus.publish("news", payload)

        assert await take(news, 500) == sent


async def test_every_listener_hears_every_payload_once(bus: Bus) -> None:
    async with bus.subscribe("news") as one, bus.subscribe("news") as other:
        await bus.publish("news", b"1")
        await bus.publish("news", b"2")

        assert await take(one, 2) == [b"1", b"2"]
        assert await take(other, 2) == [b"1", b"2"]


async def test_listeners_that_come_at_once_hear_every_payload_once(bus: Bus) -> None:
    async def listen() -> list[bytes]:
        async with bus.subscribe("news") as news:
            ready.release()
            return await take(news, 2)

    ready = asyncio.Semaphore(0)
    listeners = [asyncio.create_task(listen()) for _ in range(5)]
    for _ in listeners:
        await ready.acquire()

    await bus.publish("news", b"1")
    await bus.publish("news", b"2")

    assert await asyncio.gather(*listeners) == [[b"1", b"2"]] * 5


async def test_a_listener_that_leaves_takes_nobody_with_it(bus: Bus) -> None:
    async with bus.subscribe("news") as staying:
        async with bus.subscribe("news"):
            pass
        await bus.publish("news", b"still here")

        assert await take(staying, 1) == [b"still here"]


async def test_a_subject_can_be_left_and_joined_again(bus: Bus) -> None:
    for round_trip in (b"1", b"2", b"3"):
        async with bus.subscribe("news") as news:
            await bus.publish("news", round_trip)

            assert await take(news, 1) == [round_trip]


async def test_subjects_are_apart(bus: Bus) -> None:
    async with bus.subscribe("task.1") as one, bus.subscribe("task.12") as other:
        await bus.publish("task.12", b"for 12")
        await bus.publish("task.1", b"for 1")

        assert await take(one, 1) == [b"for 1"]
        assert await take(other, 1) == [b"for 12"]


async def test_a_payload_may_be_empty_or_any_bytes(bus: Bus) -> None:
    every_byte = bytes(range(256))

    async with bus.subscribe("news") as news:
        await bus.publish("news")
        await bus.publish("news", every_byte)

        assert await take(news, 2) == [b"", every_byte]


async def test_nobody_listening_is_no_error(bus: Bus) -> None:
    await bus.publish("void", b"?")


async def test_a_slow_listener_loses_the_oldest_and_delays_nobody(bus: Bus) -> None:
    async with bus.subscribe("news") as slow, bus.subscribe("news") as quick:
        for number in range(LONGEST + 10):
            await bus.publish("news", str(number).encode())
            await take(quick, 1)

        assert await take(slow, LONGEST) == [str(number).encode() for number in range(10, LONGEST + 10)]


async def test_the_payloads_end_with_the_subscription(bus: Bus) -> None:
    async with bus.subscribe("news") as news:
        pass

    with pytest.raises(StopAsyncIteration):
        await anext(news)


async def test_subscriptions_live_again_after_the_server_was_away(server: NatsServer) -> None:
    async with open_bus(server.url) as bus, bus.subscribe("news") as news:
        await server.stop()
        await server.start()

        assert await publish_until_heard(bus, news) == b"again"


async def test_publishing_while_the_server_is_away_neither_fails_nor_waits(server: NatsServer) -> None:
    async with open_bus(server.url) as bus:
        await server.stop()

        async with asyncio.timeout(5):
            for _ in range(10_000):
                await bus.publish("news", bytes(1000))


async def test_a_listener_that_comes_while_the_server_is_away_hears_it_later(server: NatsServer) -> None:
    async with open_bus(server.url) as bus:
        await server.stop()
        async with bus.subscribe("news") as news:
            await server.start()

            assert await publish_until_heard(bus, news) == b"again"


async def test_what_was_published_before_the_end_is_sent(server: NatsServer) -> None:
    async with open_bus(server.url) as listening, listening.subscribe("news") as news:
        async with open_bus(server.url) as speaking:
            await speaking.publish("news", b"last words")

        assert await take(news, 1) == [b"last words"]


async def test_opening_waits_for_a_server_that_starts_later() -> None:
    server = NatsServer()

    async def start_late() -> None:
        await asyncio.sleep(0.2)
        await server.start()

    starting = asyncio.create_task(start_late())
    try:
        async with asyncio.timeout(10), open_bus(server.url) as bus, bus.subscribe("news") as news:
            await bus.publish("news", b"here")

            assert await take(news, 1) == [b"here"]
    finally:
        await starting
        await server.stop()


@pytest.mark.parametrize(
    "url", ["", "memory", "redis://:hunter2@cache", "nats://", "nats://a:b:c", "nats://a,http://b"]
)
async def test_a_bad_url_is_refused_without_repeating_its_password(url: str) -> None:
    with pytest.raises(BadSetting, match=r"^TINTYPE_BUS_URL: expected memory: or nats://") as refused:
        async with open_bus(url):
            pass

    assert "hunter2" not in str(refused.value)


async def publish_until_heard(bus: Bus, news: AsyncIterator[bytes]) -> bytes:
    async def keep_publishing() -> None:
        while True:
            await bus.publish("news", b"again")
            await asyncio.sleep(0.05)

    publishing = asyncio.create_task(keep_publishing())
    try:
        return (await take(news, 1))[0]
    finally:
        publishing.cancel()
