"""The WebSocket with many listeners at once, and with some that never read."""

import asyncio
import gc
import json
import resource
import subprocess
import time
from pathlib import Path

import httpx2
import pytest
from websockets.asyncio.client import ClientConnection, connect

from api.listener import assert_in_order, listening
from api.played import Played
from api.raw import line_to, request
from api.test_socket_lines import HANDSHAKE, unmasked
from api.wire import Wire
from serving import MODEL, Server, start_server
from tintype.api.frames import ROOM_BYTES, Inbox
from tintype.domain.lifecycle import Status

CROWD, TASKS = 1000, 10
PREVIEW = b"x" * 20_000


@pytest.fixture
def many_files() -> None:
    """Enough open files for a crowd, here and in the server."""
    wanted = 3 * CROWD
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


async def last_of(socket: ClientConnection) -> dict[str, object]:
    """The last frame before the server closes."""
    frame: dict[str, object] = {}
    async for text in socket:
        frame = json.loads(text)
    return frame


def memory_of(server: Server) -> float:
    """Resident MiB of the server without its engine."""
    asked = ["ps", "-o", "rss=", "-p", str(server.process.pid)]
    return int(subprocess.run(asked, capture_output=True, text=True, check=True).stdout) / 1024


@pytest.mark.timeout(300)
@pytest.mark.usefixtures("many_files")
def test_a_thousand_sockets_hear_the_ends_of_their_tasks_and_slow_nobody(tmp_path: Path) -> None:
    async def crowd(server: Server) -> list[float]:
        tickets = [server.client.run(MODEL, prompt=f"number {number}") for number in range(TASKS)]
        url = server.url.replace("http", "ws") + "/v1"
        connections = [connect(url, proxy=None, ping_interval=None, compression=None) for _ in range(CROWD)]
        sockets = []
        for number, connection in enumerate(connections):
            socket = await connection.__aenter__()
            token = tickets[number % TASKS].token
            await socket.send(json.dumps({"type": "task_info", "tasktoken": token}))
            sockets.append(socket)
        waits = []
        async with httpx2.AsyncClient(base_url=server.url, timeout=60) as http:
            for number in range(20):
                began = time.monotonic()
                body = {"taskid": tickets[number % TASKS].id}
                await http.post("/v1/Task/Detail", json=body, headers=server.headers())
                waits.append(time.monotonic() - began)
        server.thaw_engine()

        ends = await asyncio.gather(*(last_of(socket) for socket in sockets))

        for socket in sockets:
            await socket.close()
        told = [(frame["type"], frame["id"]) for frame in ends]
        assert told == [("task_postprocess_end", tickets[number % TASKS].id) for number in range(CROWD)]
        return waits

    with start_server(tmp_path / "data", weights="blank:") as server:
        server.freeze_engine()
        before = memory_of(server)

        waits = asyncio.run(crowd(server))

        assert sorted(waits)[len(waits) // 2] < 1.0, "Task/Detail was slow among the sockets"
        assert memory_of(server) - before < 150


def test_a_reader_who_never_reads_slows_nobody_and_little_waits_for_him(wire: Wire) -> None:
    played = Played(wire)
    with line_to(wire) as deaf, listening(wire.url, played.token) as quick:
        deaf.send(request("/v1", HANDSHAKE, method="GET"))
        assert deaf.receive().status == 101
        deaf.send(unmasked({"type": "task_info", "tasktoken": played.token}))
        played.claim()
        played.reach(Status.START, Status.OUTPUT)
        heard, largest = [], 0
        for step in range(1, 800):
            played.draw(step % 51, PREVIEW)
            if step % 100 == 0:
                heard += [quick.next() for _ in range(50)]
                sizes = [thing.size for thing in gc.get_objects() if type(thing) is Inbox]
                largest = max(largest, *sizes)
        played.fail()
        heard += quick.through("task_postprocess_end")

    assert_in_order(heard)
    assert 0 < largest <= ROOM_BYTES
