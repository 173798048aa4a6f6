"""Between the claim and the engine: what is fetched, and what is not."""

import asyncio
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from files import picture
from tintype.domain.errors import InvalidInputs
from tintype.domain.lifecycle import Status
from tintype.engine.protocol import LARGEST_IMAGES
from worker.input_pictures import PNG, prepare, problem, run, upload
from worker.website import Site
from worker.workshop import Workshop

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120)]


@contextmanager
def broken(store: Path) -> Iterator[None]:
    """A folder of objects that cannot be read, since each is a link to itself."""
    held = [(path, path.read_bytes()) for path in store.rglob("*") if path.is_file()]
    for path, _ in held:
        path.unlink()
        path.symlink_to(path)
    try:
        yield
    finally:
        for path, content in held:
            whole = path.with_suffix(".whole")
            whole.write_bytes(content)
            whole.replace(path)  # at once, so that nobody finds it missing


async def test_own_files_need_no_network(workshop: Workshop) -> None:
    url = await upload(workshop, PNG)
    await workshop.outbound._session.close()

    assert (await prepare(workshop, url, f"{url}?version=2#top")).images == (PNG, PNG)


async def test_own_files_that_are_gone_are_named(workshop: Workshop) -> None:
    url = await upload(workshop, PNG)

    for wrong in (url + "x", url.replace("/File/", "/File/x"), f"{workshop.service.public_url}/v1/File/a"):
        assert await problem(workshop, wrong) == (
            f"Input file {wrong} of [inputImage] could not be fetched: File not found."
        )


@pytest.mark.parametrize("url", ["http://a%3Ab:pw@192.0.2.1/", "http://127.1/", "http://a..b/x.png"])
async def test_a_url_that_cannot_be_called_is_refused_with_its_run(workshop: Workshop, url: str) -> None:
    with pytest.raises(InvalidInputs, match=r"\[inputImage\] must be a file or an absolute http\(s\) URL"):
        await run(workshop, url)


async def test_a_url_that_cannot_be_read_ends_the_task_at_once(workshop: Workshop) -> None:
    url = f"{workshop.service.public_url}/v1/File///[x/y"
    task = await run(workshop, url)

    async with workshop.working():
        ended = await workshop.ends(task)

    assert (ended.status, ended.exit_code, ended.lost_attempts) == (Status.POSTPROCESS_END, 1, 0)
    assert ended.debug_error.startswith(f"Input file {url} of [inputImage] ")
    assert "worker" not in ended.debug_error


async def test_a_store_in_trouble_for_a_moment_is_asked_again(workshop: Workshop) -> None:
    url = await upload(workshop, PNG)
    store = workshop.folder / "files"
    with broken(store):
        preparing = asyncio.create_task(prepare(workshop, url))
        await asyncio.sleep(0.3)
        assert not preparing.done()

    assert (await preparing).images == (PNG,)


async def test_a_task_comes_back_uncounted_from_a_store_in_trouble(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tintype.worker.preparing.STORE_PATIENCE", 0.2)
    task = await run(workshop, await upload(workshop, PNG))

    async with workshop.working():
        with broken(workshop.folder / "files"):
            await workshop.until(task, lambda task: task.attempt > 4)
        ended = await workshop.ends(task)

    assert ended.succeeded, ended.debug_error
    assert ended.lost_attempts == 0


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost/a.png",
        "http://10.1.2.3/a.png",
        "http://169.254.169.254/latest/meta-data",
        "http://[::1]/a.png",
    ],
)
async def test_private_addresses_are_not_asked(workshop: Workshop, url: str) -> None:
    assert "is not at a public address." in await problem(workshop, url)


async def test_a_redirect_is_followed_and_its_target_checked(open_minded: Workshop, site: Site) -> None:
    there = site.shows("/there.png", PNG)
    moved = site.shows("/moved", b"", status=302, location=there)
    away = site.shows("/away", b"", status=302, location="file:///etc/passwd")
    circle = site.shows("/circle", b"", status=302, location=site.url + "/circle")

    assert (await prepare(open_minded, moved)).images == (PNG,)
    assert "file:///etc/passwd is not an absolute http(s) URL" in await problem(open_minded, away)
    assert "more than 5 redirects" in await problem(open_minded, circle)


@pytest.mark.parametrize("status", [403, 404, 500])
async def test_an_answer_that_is_no_picture_is_named(open_minded: Workshop, site: Site, status: int) -> None:
    url = site.shows("/a.png", PNG, status=status)

    assert f"HTTP {status}" in await problem(open_minded, url)


@pytest.mark.parametrize("content", [b"", b"<html>not here</html>", b"%PDF-1.7 ", b"words", picture("BMP")])
async def test_what_is_no_picture_is_refused(open_minded: Workshop, site: Site, content: bytes) -> None:
    url = site.shows("/a.png", content, content_type="image/png")

    assert await problem(open_minded, url) == (
        f"Input file {url} of [inputImage] is no picture (jpg, png, gif, webp)."
    )


async def test_a_server_that_cannot_be_reached_for_a_moment_is_tried_again(
    open_minded: Workshop, site: Site
) -> None:
    show = (site.shows("/a.png", PNG), site.pages["/a.png"])[1]

    def breaks_once(handler: BaseHTTPRequestHandler) -> None:
        if len(site.asked) > 1:
            show(handler)
        else:
            handler.connection.close()

    site.pages["/a.png"] = breaks_once

    assert (await prepare(open_minded, f"{site.url}/a.png")).images == (PNG,)
    assert len(site.asked) == 2


async def test_files_have_a_limit_together(open_minded: Workshop, site: Site) -> None:
    half = PNG + bytes(LARGEST_IMAGES // 2)
    urls = [site.shows(f"/{number}.png", half) for number in range(2)]

    assert await problem(open_minded, *urls) == "The input files have more than 128 MiB together."
    assert await problem(open_minded, site.shows("/huge.png", PNG, content_length=str(2**40))) == (
        "The input files have more than 128 MiB together."
    )


def bomb(width: int, height: int) -> bytes:
    """A PNG that claims a size."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    data = chunk(b"IDAT", zlib.compress(bytes(1000)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + data + chunk(b"IEND", b"")


@pytest.mark.parametrize(("width", "height"), [(8001, 8000), (10_000, 9_000), (100_000, 100_000)])
async def test_a_picture_with_too_many_pixels_is_refused_before_it_is_decoded(
    workshop: Workshop, width: int, height: int
) -> None:
    url = await upload(workshop, bomb(width, height))

    assert "64,000,000" in await problem(workshop, url)
