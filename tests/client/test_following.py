"""Waiting over the WebSocket: news as they come, lost lines, and servers without one."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from client.passing import PassingLine, passing_line
from serving import MODEL, Server, start_server, until
from tintype_client import AsyncClient, Client, Progress, Task, Ticket
from tintype_client.listening import Told
from tintype_client.waiting import progress_of

JPEG = b"\xff\xd8\xff"
Wait = Callable[[str, Ticket, Callable[[Progress], None]], Task]


@pytest.fixture(scope="module")
def frozen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with a place for one task at a time, whose engine stands still until a test thaws it."""
    folder = tmp_path_factory.mktemp("frozen")
    with start_server(folder / "data", weights="blank:", places=1) as server:
        yield server
        server.thaw_engine()


@pytest.fixture(params=["sync", "async"])
def wait(request: pytest.FixtureRequest, frozen: Server) -> Wait:
    """Waits for a task with previews, with one client or the other."""

    def waiting(url: str, ticket: Ticket, on_progress: Callable[[Progress], None]) -> Task:
        with Client(url, frozen.key, frozen.secret) as client:
            return client.wait(ticket, on_progress, within=90, previews=True)

    async def awaiting(url: str, ticket: Ticket, on_progress: Callable[[Progress], None]) -> Task:
        async with AsyncClient(url, frozen.key, frozen.secret) as client:
            return await client.wait(ticket, on_progress, within=90, previews=True)

    return waiting if request.param == "sync" else lambda *given: asyncio.run(awaiting(*given))


def statuses(heard: list[Progress]) -> list[str]:
    return [progress.task.status for progress in heard]


def run_two(server: Server) -> Ticket:
    """The second of two tasks, which is claimed when the first has ended."""
    server.freeze_engine()
    server.client.run(MODEL, prompt="the first")
    return server.client.run(MODEL, prompt="the second", steps=7)


def test_steps_and_previews_come_as_they_are_made(frozen: Server, wait: Wait) -> None:
    heard: list[Progress] = []
    with passing_line(frozen.url) as line, ThreadPoolExecutor(1) as thread:
        ticket = run_two(frozen)
        waiting = thread.submit(wait, line.url, ticket, heard.append)
        until(lambda: len(heard) >= 2, within=30, what="what the line says first")
        asyncio.run(asyncio.sleep(0.5))  # for the worker to hear that somebody looks

        frozen.thaw_engine()
        task = waiting.result(60)

        assert (line.upgrades, line.requests) == (1, 2), "it has asked though it was told"
    assert task.succeeded
    assert heard[-1].task == task
    assert statuses(heard)[:2] == ["task_queue", "task_queue"]
    assert "task_accept" in statuses(heard)
    drawing = [progress for progress in heard if progress.task.status == "task_output"]
    assert [(progress.step, progress.steps) for progress in drawing] == [(7, 7)]
    assert drawing[0].preview is not None
    assert drawing[0].preview.startswith(JPEG)
    assert [progress.waited for progress in heard] == sorted(progress.waited for progress in heard)


def test_a_lost_line_is_opened_again_and_nothing_comes_twice(frozen: Server, wait: Wait) -> None:
    heard: list[Progress] = []
    with passing_line(frozen.url) as line, ThreadPoolExecutor(1) as thread:
        ticket = run_two(frozen)
        waiting = thread.submit(wait, line.url, ticket, heard.append)
        until(lambda: len(heard) >= 2, within=30, what="what the line says first")

        line.cut()
        until(lambda: line.upgrades == 2, within=30, what="the line to be opened again")
        until(lambda: len(heard) >= 4, within=30, what="what the second line says")
        frozen.thaw_engine()

        assert waiting.result(60).succeeded
    told = [name for name in statuses(heard) if name != "task_queue"]
    assert told[-1] == "task_postprocess_end"
    assert len(told) == len(set(told)), "a stage came twice"


def test_without_a_websocket_it_asks(frozen: Server, wait: Wait) -> None:
    heard: list[Progress] = []
    with passing_line(frozen.url, refuses_sockets=True) as line, ThreadPoolExecutor(1) as thread:
        ticket = run_two(frozen)
        waiting = thread.submit(wait, line.url, ticket, heard.append)
        until(lambda: len(heard) >= 5, within=30, what="five looks")
        frozen.thaw_engine()

        assert waiting.result(60).succeeded
        assert 1 <= line.upgrades < len(heard), "every look tried a line"
    assert {progress.step for progress in heard} == {None}


def test_a_line_that_breaks_in_every_way_still_leads_to_the_end(plain_server: Server) -> None:
    with (
        passing_line(plain_server.url) as line,
        Client(line.url, plain_server.key, plain_server.secret) as client,
    ):
        ticket = client.run(MODEL, prompt="a red apple")

        task = client.wait(ticket, lambda progress: cut_once(line, progress))

    assert task.succeeded


def cut_once(line: PassingLine, progress: Progress) -> None:
    if not progress.task.is_terminal:
        line.cut()


@pytest.mark.parametrize(
    "message", [None, "a line", 7, [], {"stepCurrent": "x"}, {"preview": "no url"}, {"speed": "0.0"}]
)
def test_progress_that_makes_no_sense_is_no_progress(message: object) -> None:
    task = Task(id="1", token="t", status="task_output")

    progress = progress_of(task, Told(type="task_output", message=message), waited=1.0)

    assert (progress.step, progress.speed, progress.remaining, progress.preview) == (None,) * 4


def test_what_remains_is_told_from_the_speed() -> None:
    message = {
        "stepCurrent": "6",
        "stepTotal": "10",
        "speed": "2.0",
        "preview": "data:image/jpeg;base64,/9j/",
    }
    task = Task(id="1", token="t", status="task_output")

    progress = progress_of(task, Told(type="task_output", message=message), waited=1.0)

    assert (progress.step, progress.steps, progress.speed, progress.remaining) == (6, 10, 2.0, 2.0)
    assert progress.preview == JPEG


@pytest.mark.parametrize(
    ("base_url", "socket"),
    [
        ("http://127.0.0.1:8080", "ws://127.0.0.1:8080/v1"),
        ("https://draw.example/", "wss://draw.example/v1"),
        ("https://example.org/draw", "wss://example.org/draw/v1"),
    ],
)
def test_the_websocket_is_at_the_servers_own_address(base_url: str, socket: str) -> None:
    from tintype_client.calls import Calls
    from tintype_client.credentials import Credentials

    assert Calls(base_url=base_url, credentials=Credentials(key="key")).socket_url == socket
