"""What every object store does: a directory, and a real S3 server."""

import asyncio
import io
import os
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from botocore.config import Config
from moto.server import ThreadedMotoServer

from tintype.domain.errors import BadSetting, UnknownFile
from tintype.storage.objects import Objects, open_objects

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]

CREDENTIALS = {"access_key": "test", "secret_key": "test", "region": "us-east-1"}
PNG = "image/png"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """A real S3 server with a bucket named `pictures`."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    bucket(url).create_bucket(Bucket="pictures")
    yield url
    server.stop()


def bucket(url: str):  # type: ignore[no-untyped-def]
    return boto3.client(
        "s3",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"max_attempts": 1}),
    )


@pytest.fixture(params=["directory", "s3"])
def objects(request: pytest.FixtureRequest, tmp_path: Path) -> Objects:
    if request.param == "directory":
        return open_objects(tmp_path / "files")
    prefix = f"s3://pictures/{tmp_path.name}"
    return open_objects(prefix, endpoint=request.getfixturevalue("endpoint"), **CREDENTIALS)


async def read(objects: Objects, key: str, start: int, end: int) -> bytes:
    return b"".join([chunk async for chunk in objects.stream(key, start, end)])


async def test_what_was_put_is_got(objects: Objects) -> None:
    await objects.put("tasks/1/0.png", b"picture", PNG)

    assert await objects.get("tasks/1/0.png") == b"picture"
    assert await objects.size("tasks/1/0.png") == 7


async def test_an_empty_object_is_an_object(objects: Objects) -> None:
    await objects.put("empty", b"", "text/plain")

    assert await objects.get("empty") == b""
    assert await objects.size("empty") == 0


async def test_a_second_put_replaces_the_first(objects: Objects) -> None:
    await objects.put("a", b"first, and longer", PNG)
    await objects.put("a", b"second", PNG)

    assert await objects.get("a") == b"second"


async def test_any_range_is_streamed(objects: Objects) -> None:
    content = bytes(range(256)) * 8192
    await objects.put("big", content, PNG)

    for start, end in [
        (0, len(content)),
        (0, 1),
        (5, 9),
        (1_000_000, 2_000_001),
        (len(content) - 3, len(content)),
    ]:
        assert await read(objects, "big", start, end) == content[start:end]
    assert await read(objects, "big", 7, 7) == b""


async def test_a_large_object_is_streamed_in_chunks(objects: Objects) -> None:
    await objects.put("big", bytes(3_000_000), PNG)

    sizes = [len(chunk) async for chunk in objects.stream("big", 0, 3_000_000)]

    assert sum(sizes) == 3_000_000
    assert max(sizes) < 3_000_000


async def test_a_missing_object_is_an_unknown_file(objects: Objects) -> None:
    for ask in (objects.get("none"), objects.size("none"), read(objects, "none", 0, 1)):
        with pytest.raises(UnknownFile):
            await ask


async def test_a_deleted_object_is_gone_and_may_be_deleted_again(objects: Objects) -> None:
    await objects.put("tasks/1/0.png", b"picture", PNG)

    await objects.delete("tasks/1/0.png")
    await objects.delete("tasks/1/0.png")

    with pytest.raises(UnknownFile):
        await objects.get("tasks/1/0.png")


async def test_neighbours_of_a_deleted_object_stay(objects: Objects) -> None:
    await objects.put("tasks/1/0.png", b"zero", PNG)
    await objects.put("tasks/1/1.png", b"one", PNG)

    await objects.delete("tasks/1/0.png")

    assert await objects.get("tasks/1/1.png") == b"one"


async def test_parallel_puts_of_one_key_leave_one_of_them_whole(objects: Objects) -> None:
    contents = [bytes([number]) * 100_000 for number in range(8)]

    await asyncio.gather(*(objects.put("contested", content, PNG) for content in contents))

    assert await objects.get("contested") in contents


async def test_keys_play_no_tricks(objects: Objects) -> None:
    tricks = ("", "/etc/passwd", "../up", "a/../../up", "a/..", "a//b", "a/", ".hidden", "a/.b", "a\\b")

    for key in (*tricks, "a b", "a\x00b", "a\n", "ключ", "a?b", "a%2e%2e", "-a", "k" * 513, "C:/x"):
        for use in (
            objects.put(key, b"", PNG),
            objects.get(key),
            objects.size(key),
            objects.delete(key),
            read(objects, key, 0, 1),
        ):
            with pytest.raises(ValueError, match="not an object key"):
                await use


async def test_the_bucket_knows_the_type_of_an_object(endpoint: str) -> None:
    await open_objects("s3://pictures/typed", endpoint=endpoint, **CREDENTIALS).put("0.png", b"p", PNG)

    assert bucket(endpoint).head_object(Bucket="pictures", Key="typed/0.png")["ContentType"] == PNG


def files_below(folder: Path) -> list[str]:
    return [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()]


async def test_a_directory_holds_whole_objects_alone(tmp_path: Path) -> None:
    objects = open_objects(tmp_path / "deep" / "files")

    await objects.put("tasks/1/0.png", b"picture", PNG)

    assert files_below(tmp_path) == ["deep/files/tasks/1/0.png"]


async def test_objects_outlive_the_process(tmp_path: Path) -> None:
    await open_objects(tmp_path).put("a", b"kept", PNG)

    assert await open_objects(str(tmp_path)).get("a") == b"kept"


@pytest.mark.parametrize("place", ["ftp://host/files", "/proc/nowhere/files"])
async def test_an_unusable_place_gives_one_clear_line(place: str) -> None:
    with pytest.raises(BadSetting, match="TINTYPE_FILES_URL: .*" + place) as refused:
        open_objects(place)

    assert "\n" not in str(refused.value)


class Source(io.BytesIO):
    """A file that breaks at some place, if it is told to."""

    def __init__(self, content: bytes, *, breaks_at: int | None = None) -> None:
        super().__init__(content)
        self.breaks_at = breaks_at

    def read(self, size: int | None = -1, /) -> bytes:
        if self.breaks_at is not None and self.tell() >= self.breaks_at:
            raise OSError("the disk broke")
        return super().read(size)


@pytest.mark.parametrize("size", [0, 1, 5 * 2**20, 17 * 2**20 + 3])
async def test_a_file_is_stored_whole_from_its_beginning(objects: Objects, size: int) -> None:
    content = os.urandom(min(size, 2**20)) * (size // 2**20) + os.urandom(size % 2**20)
    content = content[:size]
    source = Source(content)
    source.read()

    await objects.put_file("uploads/a.bin", source, "text/plain")

    assert await objects.size("uploads/a.bin") == size
    assert await objects.get("uploads/a.bin") == content


async def test_a_file_that_cannot_be_read_is_not_stored(objects: Objects) -> None:
    with pytest.raises(Exception, match="the disk broke"):
        await objects.put_file("uploads/a.bin", Source(bytes(12 * 2**20), breaks_at=2**23), PNG)

    with pytest.raises(UnknownFile):
        await objects.size("uploads/a.bin")


async def test_what_is_discarded_leaves_nothing(tmp_path: Path) -> None:
    objects = open_objects(tmp_path)
    await objects.put("uploads/a.png", b"whole", PNG)
    await objects.put("uploads/a.pngs", b"another", PNG)
    (tmp_path / "uploads" / "a.png#1").write_bytes(b"what a killed process leaves")

    for _ in range(2):
        await objects.discard("uploads/a.png")

    assert files_below(tmp_path) == ["uploads/a.pngs"]


async def test_the_bucket_knows_the_type_of_a_file(endpoint: str) -> None:
    store = open_objects("s3://pictures/typed", endpoint=endpoint, **CREDENTIALS)
    await store.put_file("a.csv", Source(b"a;b\n"), "text/csv")

    found = bucket(endpoint).head_object(Bucket="pictures", Key="typed/a.csv")
    assert (found["ContentType"], found["ContentLength"]) == ("text/csv", 4)
