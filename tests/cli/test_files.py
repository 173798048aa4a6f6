"""`tintype upload`, and pictures that `tintype run` is given."""

import json
from pathlib import Path

import pytest
from PIL import Image

from cli.commands import tintype
from cli.test_run import access
from files import picture
from serving import MODEL, Server, free_port

EDITING = "black-forest-labs/flux-2-flex"
PNG = picture(size=(160, 96))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.png").write_bytes(PNG)
    (tmp_path / "b.jpg").write_bytes(picture("JPEG", size=(96, 96)))
    return tmp_path


def test_files_are_kept_and_their_addresses_printed(plain_server: Server, folder: Path) -> None:
    done = tintype("upload", "a.png", "b.jpg", "--folder", "mine", cwd=folder, **access(plain_server))

    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()
    assert plain_server.client.download(first) == PNG
    assert second.endswith("/b.jpg")


def test_json_tells_what_the_server_found(plain_server: Server, folder: Path) -> None:
    done = tintype("upload", "a.png", "--json", cwd=folder, **access(plain_server))

    kept = json.loads(done.stdout)
    assert (kept["name"], kept["contenttype"], kept["size"]) == ("a.png", "image/png", str(len(PNG)))
    assert kept.keys() >= {"id", "parentid", "url", "addedtime", "accesskey"}


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("upload", "none.png"), "cannot read none.png: No such file or directory"),
        (("upload", "."), ". is a folder; name a file"),
        (("upload", "http://x.example/a.png"), "is on the web already; only files are uploaded"),
        (("run", EDITING, "--prompt", "", "--image", "none.png"), "cannot read none.png"),
        (("run", MODEL, "--prompt", "", "--image", "a.png"), f"{MODEL} takes no pictures"),
    ],
)
def test_what_cannot_be_sent_is_told_at_once(
    plain_server: Server, folder: Path, arguments: tuple[str, ...], problem: str
) -> None:
    done = tintype(*arguments, cwd=folder, **access(plain_server))

    assert done.returncode == 2
    assert problem in done.stderr


def test_what_the_server_refuses_is_told(plain_server: Server, folder: Path) -> None:
    (folder / "a.html").write_text("<html>")

    for arguments in (("upload", "a.html"), ("run", EDITING, "--prompt", "x", "--image", "a.html")):
        done = tintype(*arguments, cwd=folder, **access(plain_server))
        assert done.returncode == 3
        assert "a.html" in done.stderr or "must be a picture" in done.stderr


def test_a_server_that_is_not_there_is_told(folder: Path) -> None:
    done = tintype("upload", "a.png", cwd=folder, url=f"http://127.0.0.1:{free_port()}", key="k")

    assert done.returncode == 4


def test_a_picture_is_drawn_after_others(plain_server: Server, folder: Path) -> None:
    kept = plain_server.client.upload(PNG, name="a.png")

    done = tintype(
        *("run", EDITING, "--prompt", "in blue", "--image", "a.png", "--image", kept.url, "--image", "b.jpg"),
        *("-o", "c.png", "--json"),
        cwd=folder,
        **access(plain_server),
    )

    assert done.returncode == 0, done.stderr
    with Image.open(folder / "c.png") as drawn:
        assert drawn.size == (160, 96)
    given = json.loads(done.stdout)["task"]["parameters"]["inputImage"]
    assert [url.rpartition("/")[2] for url in given] == ["inputImage-0.png", "a.png", "inputImage-1.jpg"]
