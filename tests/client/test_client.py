"""The SDK against a really started server."""

from pathlib import Path

import pytest

from serving import MODEL, Server, start_server
from tintype_client import (
    AsyncClient,
    Client,
    NotFinished,
    Progress,
    Refused,
    TaskCancelled,
    Unauthorized,
    Unreachable,
)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def test_a_picture_in_three_lines(plain_server: Server) -> None:
    with Client(plain_server.url, plain_server.key, plain_server.secret) as client:
        task = client.wait(client.run(MODEL, prompt="a red apple", width=64, height=64))
        picture = client.download(task.output)

    assert picture.startswith(b"\x89PNG")
    assert len(picture) == task.output.size
    assert task.output.content_type == "image/png"


@pytest.mark.anyio
async def test_the_same_awaited(plain_server: Server) -> None:
    async with AsyncClient(plain_server.url, plain_server.key, plain_server.secret) as client:
        ticket = await client.run(MODEL, prompt="a red apple", width=64, height=64)
        task = await client.wait(ticket)
        picture = await client.download(task.output)

    assert picture.startswith(b"\x89PNG")


def test_drawing_is_running_and_waiting(plain_server: Server) -> None:
    with Client(plain_server.url, plain_server.key, plain_server.secret) as client:
        task = client.draw(MODEL, prompt="a red apple", width=64, height=64)

        assert client.download(task.output).startswith(b"\x89PNG")
        with pytest.raises(Refused, match="width"):
            client.draw(MODEL, prompt="a red apple", width=7)


@pytest.mark.anyio
async def test_the_same_drawing_awaited(plain_server: Server) -> None:
    async with AsyncClient(plain_server.url, plain_server.key, plain_server.secret) as client:
        task = await client.draw(MODEL, prompt="a red apple", width=64, height=64, idempotency_key="drawn")
        again = await client.draw(MODEL, prompt="a red apple", width=64, height=64, idempotency_key="drawn")

    assert task.succeeded
    assert again == task


def test_drawing_goes_on_waiting_when_the_server_does_not(tmp_path: Path) -> None:
    with start_server(tmp_path / "data", weights="blank:", sync_wait=0.001) as server:
        assert server.client.draw(MODEL, prompt="a red apple", width=64, height=64).succeeded


def test_whoever_waits_hears_of_every_look_and_last_of_the_end(plain_server: Server) -> None:
    heard: list[Progress] = []
    ticket = plain_server.client.run(MODEL, prompt="a red apple")

    task = plain_server.client.wait(ticket, heard.append)

    assert heard[-1].task == task
    assert [progress.waited for progress in heard] == sorted(progress.waited for progress in heard)


def test_waiting_can_be_limited_and_the_task_goes_on(server: Server) -> None:
    task = server.run_long()

    with pytest.raises(NotFinished, match=r"did not end within 0\.2 s"):
        server.client.wait(task.token, within=0.2)

    assert not task.detail().is_terminal
    task.kill()


def test_a_task_is_named_by_its_id_its_token_its_ticket_or_itself(plain_server: Server) -> None:
    client = plain_server.client
    ticket = client.run(MODEL, prompt="a red apple")
    task = client.wait(ticket)

    named = [client.task(ticket.id), client.task(ticket.token), client.task(ticket), client.task(task)]

    assert named == [task] * 4


def test_a_killed_task_is_cancelled_and_has_no_picture(server: Server) -> None:
    ticket = server.client.run(MODEL, prompt="a red kite", width=768, height=768)

    task = server.client.kill(ticket)

    assert task.cancelled
    with pytest.raises(TaskCancelled, match=f"task {ticket.id} was cancelled"):
        _ = task.output


def test_the_list_has_the_newest_first(plain_server: Server) -> None:
    client = plain_server.client
    ids = [client.run(MODEL, prompt=f"apple {number}").id for number in range(3)]

    page = client.list(limit=3, model="flux")

    assert [task.id for task in page.tasks] == ids[::-1]
    assert page.total >= 3


def test_inputs_come_back_as_they_were_sent(plain_server: Server) -> None:
    ticket = plain_server.client.run(MODEL, prompt="ein roter Apfel – 赤いりんご", seed=7)

    parameters = plain_server.client.task(ticket).parameters

    assert parameters == {"prompt": "ein roter Apfel – 赤いりんご", "seed": 7}


def test_a_refusal_says_code_and_reason(plain_server: Server) -> None:
    with pytest.raises(Refused) as refusal:
        plain_server.client.run(MODEL, prompt="a red apple", width=1000)

    assert refusal.value.code == 0
    assert refusal.value.message == "Request parameter [width] must be a multiple of 16"


def test_an_unknown_task_is_refused(plain_server: Server) -> None:
    with pytest.raises(Refused, match=r"There is no task yet\."):
        plain_server.client.task("999999999")


def test_a_wrong_secret_is_unauthorized(plain_server: Server) -> None:
    with (
        Client(plain_server.url, plain_server.key, "wrong") as client,
        pytest.raises(Unauthorized, match=r"Project authorization is not valid\."),
    ):
        client.list()


def test_a_server_that_is_not_there_is_unreachable() -> None:
    with (
        Client("http://127.0.0.1:9", "key") as client,
        pytest.raises(Unreachable, match=r"no answer from http://127\.0\.0\.1:9: "),
    ):
        client.list()


def test_one_idempotency_key_is_one_task(plain_server: Server) -> None:
    client = plain_server.client

    first = client.run(MODEL, idempotency_key="apple-1", prompt="a red apple")
    second = client.run(MODEL, idempotency_key="apple-1", prompt="a red apple")

    assert first == second


def test_two_runs_without_a_key_are_two_tasks(plain_server: Server) -> None:
    client = plain_server.client

    assert client.run(MODEL, prompt="a red apple").id != client.run(MODEL, prompt="a red apple").id


def test_deleted_pictures_are_gone(plain_server: Server) -> None:
    client = plain_server.client
    task = client.wait(client.run(MODEL, prompt="a red apple"))

    client.delete_files(task)

    assert client.task(task).outputs == ()
    with pytest.raises(Refused, match=r"File not found\."):
        client.download(task.output)


def test_a_model_tells_its_inputs(plain_server: Server) -> None:
    model = plain_server.client.model("Black-Forest-Labs/flux-2-flex-t2i")

    assert model.name == MODEL
    assert [item.id for item in model.inputs][:3] == ["prompt", "width", "height"]
    assert MODEL in [each.name for each in plain_server.client.models(search="flux")]


def test_a_quote_tells_what_a_run_should_cost(plain_server: Server) -> None:
    client = plain_server.client
    before = client.list().total

    quote = client.quote(MODEL, prompt="a red apple", width=64, height=64)

    assert quote.total_cost == quote.elapsed_seconds * quote.cps > 0
    assert client.list().total == before


@pytest.mark.anyio
async def test_a_quote_refuses_what_a_run_refuses(plain_server: Server) -> None:
    async with AsyncClient(plain_server.url, plain_server.key, plain_server.secret) as client:
        assert (await client.quote(MODEL, prompt="a red apple")).elapsed_seconds > 0
        with pytest.raises(Refused, match="must be a multiple of 16"):
            await client.quote(MODEL, prompt="a red apple", width=1000)
