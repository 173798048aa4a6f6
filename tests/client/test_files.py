"""Files from the SDK: uploads, and inputs of files."""

import io
from pathlib import Path

import httpx2
import pytest

from cli.commands import tintype
from files import picture
from serving import Server, until
from tintype_client import AsyncClient, Client, File, Refused, Unauthorized
from tintype_client.files import body_of

MODEL = "black-forest-labs/flux-2-flex"
PNG, JPEG = picture(size=(128, 96)), picture("JPEG", size=(96, 96))


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def test_a_file_is_kept_and_comes_back(plain_server: Server, tmp_path: Path) -> None:
    path = tmp_path / 'Grüße "1".png'
    path.write_bytes(PNG)
    client = plain_server.client

    kept = client.upload(path)

    assert (kept.name, kept.content_type, kept.size) == ("Grüße _221_22.png", "image/png", len(PNG))
    assert client.download(kept.url) == PNG
    assert client.upload(PNG, name="a.png").name == "a.png"
    assert client.upload(str(path)).name == kept.name
    assert client.upload(io.BytesIO(JPEG)).name == "file.jpg"
    with path.open("rb") as file:
        file.read()
        assert client.upload(file).size == len(PNG)


def test_folders_hold_files(plain_server: Server) -> None:
    client = plain_server.client
    outer = client.create_folder("outer")
    inner = client.create_folder("inner", parent=outer)

    assert client.upload(PNG, folder=inner).folder == inner.id
    assert inner.parent == outer.id
    assert client.create_folder("outer") == outer
    with pytest.raises(Refused, match="must consist of"):
        client.create_folder("bad name!")
    with pytest.raises(Refused, match="You don't have any permission"):
        client.upload(PNG, folder="f" * 32)


def test_what_is_not_accepted_is_refused(plain_server: Server) -> None:
    with pytest.raises(Refused, match=r"\[a.exe\] is of no accepted type"):
        plain_server.client.upload(b"MZ\0\0", name="a.exe")


def test_inputs_of_files_come_in_every_form(plain_server: Server, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(PNG)
    client = plain_server.client
    kept = client.upload(JPEG)

    for files in (path, PNG, [path], [kept], kept, kept.url, [io.BytesIO(PNG), kept, kept.url, JPEG]):
        task = client.draw(MODEL, prompt='of "files"', inputImage=files, steps=1, seed=None)

        assert task.succeeded, task.debug_error
        assert task.parameters["prompt"] == 'of "files"'
        first = task.parameters["inputImage"]
        assert client.download(first[0] if isinstance(first, list) else first) in (PNG, JPEG)


def test_a_run_with_files_that_is_sent_twice_is_one(plain_server: Server) -> None:
    client = plain_server.client

    tickets = [
        client.run(MODEL, prompt="", inputImage=[PNG], steps=1, idempotency_key="with files")
        for _ in range(2)
    ]

    assert tickets[0] == tickets[1]


def test_a_run_that_waits_takes_files_too(plain_server: Server) -> None:
    answer = httpx2.post(
        f"{plain_server.url}/v1/Run/{MODEL}/sync",
        data={"prompt": "", "steps": "1"},
        files={"inputImage": ("a.png", PNG)},
        headers=plain_server.headers(),
        timeout=60,
    ).json()

    assert answer["tasklist"][0]["pexit"] == "0"


@pytest.mark.anyio
async def test_the_same_awaited(plain_server: Server) -> None:
    async with AsyncClient(plain_server.url, plain_server.key, plain_server.secret) as client:
        folder = await client.create_folder("awaited")
        kept = await client.upload(PNG, folder=folder)
        task = await client.draw(MODEL, prompt="", inputImage=[kept, JPEG], steps=1)

    assert kept.folder == folder.id
    assert task.succeeded


def test_files_are_signed_with_the_whole_request(plain_server: Server) -> None:
    command = ("project", "set", "bootstrap", "--request-signature", "accepted")
    done = tintype(*command, cwd=plain_server.data.parent, data=str(plain_server.data))
    assert done.returncode == 0, done.stderr

    with Client(plain_server.url, plain_server.key, plain_server.secret, sign_requests=True) as client:
        kept = until(lambda: signed(client), within=5, what="the project to take signatures")
        assert kept.size == len(PNG) * 1000
        assert client.draw(MODEL, prompt="", inputImage=PNG, steps=1).succeeded


def signed(client: Client) -> File | None:
    try:
        return client.upload(PNG * 1000, name="a.png")
    except Unauthorized:
        return None


def test_inputs_without_files_are_json() -> None:
    kept = File(id="1", name="a", content_type="image/png", url="http://x/a")

    body = body_of({"prompt": "a", "width": 64, "inputImage": [kept, "http://y/b"], "other": kept})

    assert body.content_type == "application/json"
    assert body.content == (
        b'{"prompt":"a","width":64,"inputImage":["http://x/a","http://y/b"],"other":"http://x/a"}'
    )


def test_texts_beside_files_are_what_json_would_say() -> None:
    body = body_of({"a": True, "b": 1.5, "c": None, "d": "x", "e": b"y", "f": [1, 2]})

    texts = body.content.decode()
    assert 'name="a"\r\n\r\ntrue\r\n' in texts
    assert 'name="b"\r\n\r\n1.5\r\n' in texts
    assert 'name="c"' not in texts
    assert 'name="e"; filename="file"' in texts
    assert texts.count('name="f"') == 2
