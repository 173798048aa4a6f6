"""Large files on real servers: in bounded memory, and without remains whatever happens."""

import os
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import httpx2
import pytest
from botocore.config import Config
from moto.server import ThreadedMotoServer

from files import picture
from serving import Server, start_server, until

pytestmark = pytest.mark.timeout(300)

MIB = 2**20
UPLOAD = "/v1/File/Upload"
BOUNDARY = "tintype-upload"
MULTIPART = f"multipart/form-data; boundary={BOUNDARY}"
TAIL = f"\r\n--{BOUNDARY}--\r\n".encode()


def head(name: str) -> bytes:
    disposition = f'form-data; name="file"; filename="{name}"'
    return f"--{BOUNDARY}\r\nContent-Disposition: {disposition}\r\n\r\n".encode()


def body(size: int, name: str = "large.txt") -> Iterator[bytes]:
    """A multipart body with one file of so many bytes."""
    yield head(name)
    piece = b"0123456789abcdef" * 4096
    for _ in range(size // len(piece)):
        yield piece
    yield b"x" * (size % len(piece)) + TAIL


def upload(server: Server, size: int) -> httpx2.Response:
    length = len(head("large.txt")) + size + len(TAIL)
    headers = {**server.headers(), "content-type": MULTIPART, "content-length": str(length)}
    with httpx2.Client(base_url=server.url, timeout=120) as http:
        return http.post(UPLOAD, content=body(size), headers=headers)


def memory(server: Server) -> int:
    """The most memory that the server's own process has had, in bytes."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def left(server: Server) -> list[Path]:
    """Every file in the store, and what would lie about in the data folder."""
    stored = [path for path in (server.data / "files").rglob("*") if path.is_file()]
    return stored + list(server.data.glob("tmp*"))


@pytest.fixture
def blank(tmp_path: Path) -> Iterator[Server]:
    with start_server(tmp_path / "data", weights="blank:") as server:
        yield server


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux to look at memory")
def test_check_65_a_hundred_megabytes_are_kept_in_bounded_memory(blank: Server) -> None:
    before = memory(blank)

    answer = upload(blank, 100 * MIB).json()

    assert answer["result"], answer
    grown = memory(blank) - before
    assert grown < 80 * MIB, f"{grown / MIB:.0f} MiB more"
    with httpx2.stream("GET", answer["list"][0]["url"], timeout=120) as download:
        assert sum(len(chunk) for chunk in download.iter_bytes()) == 100 * MIB
    assert memory(blank) - before < 80 * MIB
    assert len(left(blank)) == 1


def test_check_65_above_the_limit_nothing_is_kept(blank: Server) -> None:
    answer = upload(blank, 100 * MIB + 1)

    assert (answer.status_code, answer.json()["errors"]) == (
        413,
        [{"code": 0, "message": "Request body is too large."}],
    )
    assert left(blank) == []


def test_a_server_that_is_killed_during_an_upload_leaves_nothing(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with start_server(data, weights="blank:") as server:
        address = urlsplit(server.url)
        with socket.create_connection((address.hostname, address.port)) as line:
            headers = {
                **server.headers(),
                "Host": "x",
                "Content-Type": MULTIPART,
                "Content-Length": "90000000",
            }
            lines = [f"POST {UPLOAD} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
            line.sendall("\r\n".join([*lines, "", ""]).encode() + head("a.txt") + b"x" * (20 * MIB))
            until(lambda: spooled(server), within=30, what="the file to be on its way")
            server.crash()
        assert left(server) == []
    with start_server(data, weights="blank:") as server:
        assert left(server) == []
        assert upload(server, 1000).json()["result"]
        assert len(left(server)) == 1


def spooled(server: Server) -> bool:
    """Whether the server holds a file without a name in its data folder."""
    descriptors = Path(f"/proc/{server.process.pid}/fd")
    names = [os.readlink(path) for path in descriptors.iterdir() if path.exists() or path.is_symlink()]
    return any(name.startswith(str(server.data)) and name.endswith("(deleted)") for name in names)


def test_many_broken_uploads_at_once_leave_nothing(blank: Server) -> None:
    address = urlsplit(blank.url)

    def break_off() -> None:
        with socket.create_connection((address.hostname, address.port)) as line:
            headers = {**blank.headers(), "Host": "x", "Content-Type": MULTIPART, "Content-Length": "9000000"}
            lines = [f"POST {UPLOAD} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
            line.sendall("\r\n".join([*lines, "", ""]).encode() + head("a.txt") + b"x" * (2 * MIB))

    threads = [threading.Thread(target=break_off) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    until(lambda: not spooled(blank), within=30, what="the server to let go of broken uploads")
    assert left(blank) == []
    assert upload(blank, 1000).json()["result"]


# With a bucket


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


BUCKET = "uploads-and-outputs"
"""Its own: all S3 servers of one test process share their buckets."""


@pytest.fixture
def bucket(endpoint: str) -> Any:
    client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"max_attempts": 1}),
    )
    client.create_bucket(Bucket=BUCKET)
    return client


def test_with_a_bucket_files_go_in_and_come_back(tmp_path: Path, endpoint: str, bucket: Any) -> None:
    settings = {
        "files_url": f"s3://{BUCKET}/tintype",
        "s3_endpoint": endpoint,
        "s3_region": "us-east-1",
        "s3_access_key_id": "test",
        "s3_secret_access_key": "test",
    }
    png = picture(size=(160, 96))
    with start_server(tmp_path / "data", weights="blank:", **settings) as server:
        large = upload(server, 23 * MIB).json()["list"][0]
        ran = httpx2.post(
            f"{server.url}/v1/Run/black-forest-labs/flux-2-flex",
            data={"prompt": "the same in blue", "steps": "1"},
            files=[("inputImage", ("a.png", png)), ("inputImage", ("b.png", png))],
            headers=server.headers(),
        ).json()
        assert ran["result"], ran
        task = server.client.wait(ran["taskid"], within=60)
        refused = httpx2.post(
            server.url + UPLOAD, files={"file": ("a.exe", b"MZ\0\0")}, headers=server.headers()
        ).json()

        assert task.succeeded, task.debug_error
        assert not refused["result"]
        part = httpx2.get(large["url"], headers={"range": f"bytes={22 * MIB}-{22 * MIB + 9}"})
        assert (part.status_code, len(part.content)) == (206, 10)
        rooms = [key.split("/")[1] for key in keys(bucket)]
        assert sorted(rooms) == ["inputs", "inputs", "outputs", "uploads"]
        server.client.delete_files(task)
        assert [key.split("/")[1] for key in keys(bucket)] == ["uploads"]
    assert bucket.list_multipart_uploads(Bucket=BUCKET).get("Uploads", []) == []


def keys(bucket: Any) -> list[str]:
    return [entry["Key"] for entry in bucket.list_objects_v2(Bucket=BUCKET).get("Contents", [])]


def test_a_signal_during_an_upload_lets_it_finish(tmp_path: Path) -> None:
    with start_server(tmp_path / "data", weights="blank:") as server:
        answers: list[httpx2.Response] = []

        def slowly() -> Iterator[bytes]:
            for number, piece in enumerate(body(8 * MIB)):
                if number == 100:
                    server.signal(signal.SIGTERM)
                yield piece

        headers = {**server.headers(), "content-type": MULTIPART}
        answers.append(httpx2.post(server.url + UPLOAD, content=slowly(), headers=headers, timeout=60))

        assert answers[0].json()["result"]
        assert server.wait() == 0
