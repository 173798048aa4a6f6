"""Between the claim and the engine: input files are fetched, and sizes settled."""

import asyncio
import io
import struct
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from PIL import Image

from files import picture
from tintype.domain.errors import InvalidInputs
from tintype.domain.file_types import recognize
from tintype.domain.inputs import read_inputs
from tintype.domain.lifecycle import Status
from tintype.domain.part import Part
from tintype.domain.task import Task, TaskName
from tintype.domain.task_object import file_url
from tintype.engine.protocol import LARGEST_IMAGES
from tintype.worker.fetches import AT_ONCE
from tintype.worker.preparing import PATIENCE, Prepared, Unfit
from tintype.worker.sizing import size_like
from worker.workshop import Hosts, Workshop, open_workshop, running, until

ALONE = AT_ONCE // 2
"""Tasks that may fetch at once of a project that is the only one."""

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120)]

MODEL = "black-forest-labs/flux-2-flex"
PNG, JPEG = picture("PNG", size=(320, 160)), picture("JPEG", size=(96, 96))
BLUE = picture("WEBP", size=(64, 80), colour="blue")


def part(content: bytes, name: str = "a.png") -> Part:
    return Part(
        name=name,
        size=len(content),
        digest=str(hash(content)),
        kind=recognize(content[:8192], name),
        content=io.BytesIO(content),
    )


async def upload(workshop: Workshop, content: bytes) -> str:
    """The URL of a file that is kept here."""
    file = await workshop.service.filing.upload(workshop.project, part(content), "0")
    return file_url(file, workshop.service.public_url)


async def run(workshop: Workshop, *pictures: Any, **inputs: Any) -> Task:
    """A task with input pictures, accepted."""
    asked = {"prompt": "the same in blue", "steps": 1, "inputImage": list(pictures), **inputs}
    return await workshop.service.submit(workshop.project, workshop.service.catalogue[MODEL], asked)


async def prepare(workshop: Workshop, *urls: str, **inputs: Any) -> Prepared:
    asked = {"prompt": "", "inputImage": list(urls), **inputs}
    return await workshop.preparing().prepare(read_inputs(workshop.service.catalogue[MODEL], asked))


async def problem(workshop: Workshop, *urls: str) -> str:
    """Why pictures cannot be used."""
    with pytest.raises(Unfit) as unfit:
        await prepare(workshop, *urls)
    return str(unfit.value)


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


class Site:
    """A web site of somebody else, on this machine."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.pages: dict[str, Callable[[BaseHTTPRequestHandler], None]] = {}
        self.released = Event()
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.asked.append(self.path)
                site.pages[self.path.partition("?")[0]](self)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def shows(self, path: str, content: bytes, *, status: int = 200, **headers: str) -> str:
        """The URL of a page with this content."""

        def show(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(status)
            for name, value in {"content_length": str(len(content)), **headers}.items():
                handler.send_header(name.replace("_", "-"), value)
            handler.end_headers()
            handler.wfile.write(content)

        self.pages[path] = show
        return self.url + path

    def hangs(self, path: str) -> str:
        """The URL of a page that begins and does not go on."""

        def hang(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(200)
            handler.end_headers()
            handler.wfile.write(PNG[:50])
            handler.wfile.flush()
            self.released.wait(60)

        self.pages[path] = hang
        return self.url + path


@contextmanager
def open_site() -> Iterator[Site]:
    site = Site()
    thread = Thread(target=site.server.serve_forever)
    thread.start()
    try:
        yield site
    finally:
        site.released.set()
        site.server.shutdown()
        thread.join(10)
        site.server.server_close()


@pytest.fixture
def site() -> Iterator[Site]:
    with open_site() as site:
        yield site


@pytest.fixture
async def open_minded(tmp_path: Path) -> AsyncIterator[Workshop]:
    """A workshop that fetches from this machine, too."""
    async with open_workshop(tmp_path, allow_private=True) as workshop:
        yield workshop


# What becomes of a task with files


async def test_check_68_parts_uploads_and_urls_reach_the_engine_in_order(
    open_minded: Workshop, site: Site
) -> None:
    kept, elsewhere = await upload(open_minded, JPEG), site.shows("/b.png", BLUE)
    task = await run(open_minded, part(PNG), kept, elsewhere)
    hosts = Hosts()

    async with open_minded.working(hosts):
        ended = await open_minded.ends(task)

    assert ended.succeeded, ended.debug_error
    given = ended.parameters["inputImage"]
    assert given[1:] == [kept, elsewhere]
    assert given[0].endswith("/inputImage-0.png")
    drawn = Image.open(io.BytesIO(await open_minded.picture(task)))
    assert drawn.size == (320, 160)
    assert (await prepare(open_minded, *given)).images == (PNG, JPEG, BLUE)


async def test_a_task_without_pictures_is_drawn_at_the_usual_size(workshop: Workshop) -> None:
    task = await run(workshop, width="", height=0)

    async with workshop.working():
        ended = await workshop.ends(task)

    assert Image.open(io.BytesIO(await workshop.picture(ended))).size == (1024, 1024)


async def test_a_picture_that_cannot_be_fetched_ends_the_task_as_a_failure(workshop: Workshop) -> None:
    task = await run(workshop, "http://127.0.0.1:9/a.png")

    async with workshop.events(task) as events, workshop.working():
        ended = await workshop.ends(task)

    assert (ended.status, ended.exit_code, ended.total_cost) == (Status.POSTPROCESS_END, 1, 0)
    assert ended.debug_error == (
        "Input file http://127.0.0.1:9/a.png of [inputImage] could not be fetched: "
        "127.0.0.1 is not at a public address."
    )
    assert await workshop.charges() == {}
    assert [event.type for event in events] == [
        "task_accept",
        "task_preprocess_start",
        "task_end",
        "task_postprocess_end",
    ]


async def test_a_kill_while_files_are_fetched_stops_at_once(open_minded: Workshop, site: Site) -> None:
    task = await run(open_minded, site.hangs("/slow.png"))

    async with open_minded.working(Hosts(places=1)):
        await until(lambda: site.asked)
        assert (await open_minded.look(task)).status is Status.PREPROCESS_START
        killed = await open_minded.kill(task)
        async with asyncio.timeout(PATIENCE / 2):  # in the one place that there is
            next_one = await open_minded.ends(await open_minded.run())

    assert killed.status is Status.CANCEL
    assert next_one.succeeded
    assert (await open_minded.look(task)).status is Status.CANCEL


async def test_slow_servers_hold_up_no_other_task(open_minded: Workshop, site: Site) -> None:
    url = site.hangs("/slow.png")
    slow = [await run(open_minded, url) for _ in range(ALONE + 4)]

    async with open_minded.working(Hosts(places=2)):
        async with asyncio.timeout(PATIENCE / 2):
            await until(lambda: len(site.asked) == ALONE)
            assert (await open_minded.ends(await open_minded.run())).succeeded
        fetching = [await open_minded.look(task) for task in slow]
        assert len(site.asked) == ALONE
        site.shows("/slow.png", PNG)
        site.released.set()
        ended = [await open_minded.ends(task) for task in slow]

    assert {task.status for task in fetching} == {Status.PREPROCESS_START}
    assert [task.succeeded for task in ended[ALONE:]] == [True] * 4


async def test_a_worker_that_stops_hands_a_fetching_task_back(open_minded: Workshop, site: Site) -> None:
    task = await run(open_minded, site.hangs("/slow.png"))

    async with running(open_minded.worker()):
        await until(lambda: site.asked)
    back = await open_minded.look(task)
    site.released.set()
    site.shows("/slow.png", PNG)
    async with open_minded.working():
        ended = await open_minded.ends(task)

    assert (back.status, back.lost_attempts) == (Status.QUEUE, 0)
    assert ended.succeeded


async def test_deleting_a_task_s_files_deletes_its_inputs_too(workshop: Workshop) -> None:
    kept = await upload(workshop, JPEG)
    task = await run(workshop, part(PNG), kept)
    async with workshop.working():
        await workshop.ends(task)
    assert len(workshop.stored()) == 3

    await workshop.service.delete_files(workshop.project, TaskName(kind="id", value=str(task.id)))

    assert [path.parts[-3] for path in workshop.stored()] == ["uploads"]  # which no task owns
    assert "could not be fetched: File not found." in await problem(
        workshop, str(task.parameters["inputImage"][0])
    )


# What is fetched, and what is not


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


# Sizes


@pytest.mark.parametrize(
    ("asked", "size"),
    [
        ({}, (320, 160)),
        ({"width": 0, "height": "0"}, (320, 160)),
        ({"width": 640}, (640, 320)),
        ({"height": 640}, (1280, 640)),
        ({"width": 512, "height": 512}, (512, 512)),
    ],
)
async def test_what_is_not_set_follows_from_the_first_picture(
    workshop: Workshop, asked: dict[str, Any], size: tuple[int, int]
) -> None:
    first, second = await upload(workshop, PNG), await upload(workshop, JPEG)

    prepared = await prepare(workshop, first, second, **asked)

    assert (prepared.inputs["width"], prepared.inputs["height"]) == size


async def test_a_picture_counts_as_people_see_it(workshop: Workshop) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    url = await upload(workshop, picture("JPEG", size=(320, 160), exif=exif))

    prepared = await prepare(workshop, url)

    assert (prepared.inputs["width"], prepared.inputs["height"]) == (160, 320)


@pytest.mark.parametrize(
    ("picture", "size"),
    [
        ((1024, 1024), (1024, 1024)),
        ((1000, 500), (992, 496)),
        ((2048, 2048), (1024, 1024)),
        ((4000, 3000), (1184, 880)),
        ((3000, 4000), (880, 1184)),
        ((1920, 1080), (1360, 768)),
        ((8000, 1000), (2048, 256)),
        ((64, 64), (64, 64)),
        ((20, 10), (128, 64)),
        ((1, 1000), (64, 2048)),
        ((1040, 1008), (1040, 1008)),
        ((1056, 1008), (1040, 1008)),
    ],
)
def test_a_size_keeps_the_shape_within_a_megapixel(picture: tuple[int, int], size: tuple[int, int]) -> None:
    assert size_like(picture) == size


@pytest.mark.parametrize("wide", [1, 16, 63, 100, 999, 1024, 5000, 60_000])
@pytest.mark.parametrize("high", [1, 65, 1025, 4096])
def test_every_picture_gives_a_size_that_can_be_drawn(wide: int, high: int) -> None:
    for size in (
        size_like((wide, high)),
        size_like((wide, high), width=640),
        size_like((wide, high), height=96),
    ):
        assert all(64 <= side <= 2048 and side % 16 == 0 for side in size)
    width, height = size_like((wide, high))
    assert width * height <= 2**20


# What is left behind


async def test_what_never_became_a_file_is_swept_up(workshop: Workshop) -> None:
    from tintype.storage import loose
    from tintype.worker.sweeping import Sweeper

    kept = await upload(workshop, PNG)
    await workshop.database.write(lambda c: loose.announce(c, ["uploads/lost.png", "inputs/new.png"], now=1))
    await workshop.objects.put("uploads/lost.png", b"lost", "image/png")
    await workshop.objects.put("inputs/new.png", b"lost", "image/png")
    (workshop.folder / "files" / "uploads" / "lost.png#1").write_bytes(b"half")

    patient = Sweeper(database=workshop.database, objects=workshop.objects, longest_way=10**10)
    assert await patient.sweep() == 0
    assert await Sweeper(database=workshop.database, objects=workshop.objects).sweep() == 2

    assert len(workshop.stored()) == 1
    assert (await prepare(workshop, kept)).images == (PNG,)


async def test_a_worker_sweeps_by_itself(workshop: Workshop) -> None:
    from tintype.storage import loose

    await workshop.database.write(lambda c: loose.announce(c, ["uploads/lost.png"], now=1))
    await workshop.objects.put("uploads/lost.png", b"lost", "image/png")

    async with workshop.working():
        await until(lambda: not workshop.stored())


async def test_refused_runs_leave_no_files(workshop: Workshop) -> None:
    from tintype.domain.errors import NotPermitted

    with pytest.raises(NotPermitted):
        await workshop.service.submit(
            workshop.project,
            workshop.service.catalogue[MODEL],
            {"prompt": "", "inputImage": [part(PNG)]},
            billed_project_id=10**6,
        )

    assert workshop.stored() == []


async def test_a_run_that_is_asked_again_with_its_key_keeps_its_files_once(workshop: Workshop) -> None:
    async def again(content: bytes = PNG) -> Task:
        asked = {"prompt": "", "inputImage": part(content), "width": 64}
        model = workshop.service.catalogue[MODEL]
        return await workshop.service.submit(workshop.project, model, asked, idempotency_key="k")

    from tintype.domain.errors import IdempotencyConflict

    tasks = [await again(), *await asyncio.gather(again(), again())]
    with pytest.raises(IdempotencyConflict):
        await again(JPEG)

    assert len({task.id for task in tasks}) == 1
    assert len(workshop.stored()) == 1
    assert (await prepare(workshop, str(tasks[1].parameters["inputImage"]))).images == (PNG,)
