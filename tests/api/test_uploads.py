"""Section 13: uploads."""

import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest

from api.raw import line_to, request
from api.test_bodies import BOUNDARY, MULTIPART, multipart
from api.uploading import FOLDER, MIB, PNG, UPLOAD, refused, upload, uploaded
from api.wire import PUBLIC_URL, Caller, Wire, start_wire
from files import SAMPLES
from serving import until
from tintype.domain.project import Auth
from tintype.domain.rate import Limited
from tintype.storage import guards
from tintype.storage.accounts import suspend_account


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("uploads")


@pytest.fixture(scope="module")
def office(folder: Path) -> Iterator[Wire]:
    """A server that takes files of up to one MiB."""
    with start_wire(folder, largest_file=MIB, spool=folder) as wire:
        yield wire


def objects(folder: Path) -> list[Path]:
    """Everything in the store."""
    return [path for path in (folder / "files").rglob("*") if path.is_file()]


def test_check_64_the_bytes_say_what_a_file_is(wire: Wire) -> None:
    file = uploaded(upload(wire, PNG))

    assert file["contenttype"] == "image/png"
    assert file["name"] == "a.png"
    assert file["size"] == str(len(PNG))
    assert file["parentid"] == "0"
    assert len(file["id"]) == 32
    assert len(file["accesskey"]) == 30
    assert abs(int(file["addedtime"]) - time.time()) < 60
    assert set(file) == {"id", "name", "contenttype", "size", "parentid", "url", "addedtime", "accesskey"}


@pytest.mark.parametrize("extension", SAMPLES)
def test_every_type_of_the_list_is_taken_and_given_out_as_what_it_is(wire: Wire, extension: str) -> None:
    content, content_type = SAMPLES[extension]

    file = uploaded(upload(wire, content, f"a.{extension}"))
    download = wire.http.get(file["url"].removeprefix(PUBLIC_URL))

    assert file["contenttype"] == content_type
    assert download.content == content
    assert download.headers["content-type"] == content_type
    assert download.headers["x-content-type-options"] == "nosniff"


def test_check_66_an_upload_can_be_fetched_by_anyone_at_the_public_base(wire: Wire) -> None:
    headers = {**wire.caller.headers(), "host": "evil.example"}
    answer = wire.http.post(UPLOAD, files={"file": ("a.png", PNG)}, headers=headers)
    url = uploaded(answer)["url"]
    path = url.removeprefix(PUBLIC_URL)

    assert url.startswith(f"{PUBLIC_URL}/v1/File/")
    assert wire.http.get(path).content == PNG
    assert wire.http.head(path).headers["content-length"] == str(len(PNG))
    part = wire.http.get(path, headers={"range": "bytes=1-3"})
    assert (part.status_code, part.content) == (206, b"PNG")
    assert wire.http.get(path.replace("/a.png", "/b.png")).status_code == 404


def test_a_text_that_is_a_page_is_not_run_as_one(wire: Wire) -> None:
    file = uploaded(upload(wire, b"<html><script>alert(1)</script>", "page.txt"))
    download = wire.http.get(file["url"].removeprefix(PUBLIC_URL))

    assert download.headers["content-type"] == "text/plain"
    assert download.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("name", ["page.html", "picture.svg", "a.sh", "setup.exe", "a.png", "mail.eml"])
def test_other_types_are_refused_with_what_would_be_right(office: Wire, folder: Path, name: str) -> None:
    before = objects(folder)

    message = refused(upload(office, b"<svg onload='alert(1)'/>", name))

    assert message.startswith(f"Request file [{name}] is of no accepted type. Accepted are jpg, png, gif,")
    assert objects(folder) == before


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("../../../../tmp/evil.png", "evil.png"),
        ("..%2f..%2fevil.png", ".._2f.._2fevil.png".strip(".")),
        ("a\\b.png", "b.png"),
        ("Grüße 日本.png", "Grüße 日本.png"),
        ("page.html", "page.html.png"),
        ("n" * 3000 + ".png", "n" * 116 + ".png"),
        ("a b&c.png", "a b_c.png"),
        (".", "file.png"),
    ],
)
def test_tricks_in_names_come_to_nothing(wire: Wire, given: str, name: str) -> None:
    body = multipart(("file", PNG, given))

    file = uploaded(wire.send(UPLOAD, body, MULTIPART))

    assert file["name"] == name
    assert unquote(file["url"].rpartition("/")[2]) == name
    assert wire.http.get(file["url"].removeprefix(PUBLIC_URL)).content == PNG


def test_a_nul_in_a_name_is_left_out(wire: Wire) -> None:
    assert uploaded(wire.send(UPLOAD, multipart(("file", PNG, "a\x00b.png")), MULTIPART))["name"] == "ab.png"


def test_a_name_that_is_encoded_as_in_headers_is_read(wire: Wire) -> None:
    disposition = "form-data; name=\"file\"; filename*=UTF-8''Gr%C3%BC%C3%9Fe.png"
    body = f"--{BOUNDARY}\r\nContent-Disposition: {disposition}\r\n\r\n".encode() + PNG
    body += f"\r\n--{BOUNDARY}--\r\n".encode()

    assert uploaded(wire.send(UPLOAD, body, MULTIPART))["name"] == "Grüße.png"


def test_check_65_the_largest_file_is_taken_and_a_larger_one_is_not(office: Wire, folder: Path) -> None:
    largest = uploaded(upload(office, b"x" * MIB, "a.txt"))
    assert largest["size"] == str(MIB)
    before = objects(folder)

    answer = upload(office, b"x" * (MIB + 1), "a.txt")

    assert answer.status_code == 413
    assert answer.json() == {
        "list": [],
        "errors": [{"code": 0, "message": "Request body is too large."}],
        "result": False,
    }
    assert objects(folder) == before


def test_a_file_that_is_announced_too_large_is_refused_before_it_is_sent(office: Wire) -> None:
    headers = {**office.caller.headers(), "Expect": "100-continue", "Content-Type": MULTIPART}
    with line_to(office) as line:
        line.send(request(UPLOAD, {**headers, "Content-Length": str(20 * MIB)}))

        assert line.receive().status == 413


def test_a_file_is_invited_before_it_is_sent(office: Wire) -> None:
    body = multipart(("file", PNG, "a.png"))
    headers = {**office.caller.headers(), "Expect": "100-continue", "Content-Type": MULTIPART}
    with line_to(office, patience=10) as line:
        line.send(request(UPLOAD, {**headers, "Content-Length": str(len(body))}))
        assert line.receive().status == 100
        line.send(body)

        assert line.receive().json()["result"]


def test_strangers_are_refused_before_they_send_a_file(office: Wire) -> None:
    headers = {"x-api-key": "nobody", "Expect": "100-continue", "Content-Type": MULTIPART}
    for path in (UPLOAD, FOLDER):
        with line_to(office) as line:
            line.send(request(path, {**headers, "Content-Length": "1000"}))

            assert line.receive().status == 401
    assert office.http.post(UPLOAD).json()["errors"][0]["code"] == 99


def test_a_file_that_breaks_off_leaves_nothing(office: Wire, folder: Path) -> None:
    before, body = objects(folder), multipart(("file", PNG * 2000, "a.png"))
    for _ in range(3):
        with line_to(office) as line:
            headers = {**office.caller.headers(), "Content-Type": MULTIPART}
            line.send(request(UPLOAD, {**headers, "Content-Length": str(len(body))}) + body[:-200])

    assert refused(upload(office, b"", "a.png"))  # the server has seen that they are gone
    assert objects(folder) == before
    assert not list(folder.glob("tmp*"))


def test_a_body_that_ends_too_early_is_refused(office: Wire, folder: Path) -> None:
    before, body = objects(folder), multipart(("file", PNG, "a.png"), end="")

    assert refused(office.send(UPLOAD, body, MULTIPART)) == "Request parameters are invalid."
    assert objects(folder) == before


def test_a_slow_file_arrives_too(office: Wire) -> None:
    body = multipart(("file", PNG, "a.png"))
    with line_to(office, patience=10) as line:
        headers = {**office.caller.headers(), "Content-Type": MULTIPART}
        line.send(request(UPLOAD, {**headers, "Content-Length": str(len(body))}))
        for start in range(0, len(body), 40):
            line.send(body[start : start + 40])
            time.sleep(0.01)

        assert line.receive().json()["list"][0]["size"] == str(len(PNG))


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        (b"", None),
        (b'{"file": "http://x/a.png"}', "application/json"),
        (b"file=abc", "application/x-www-form-urlencoded"),
        (multipart(("file", "words without a file name")), MULTIPART),
        (multipart(("file", "")), MULTIPART),
        (multipart(("file", "", "")), MULTIPART),
        (multipart(("picture", PNG, "a.png")), MULTIPART),
    ],
)
def test_an_upload_without_a_file_is_refused(wire: Wire, content: bytes, content_type: str | None) -> None:
    assert refused(wire.send(UPLOAD, content, content_type)) == "Request files [file] required"


def test_an_upload_is_of_one_file(office: Wire, folder: Path) -> None:
    before, body = objects(folder), multipart(("file", PNG, "a.png"), ("file", PNG, "b.png"))

    assert refused(office.send(UPLOAD, body, MULTIPART)) == "Request parameter [file] has too many files"
    assert objects(folder) == before


def test_key_only_projects_upload_too(wire: Wire, keyed: Caller) -> None:
    assert uploaded(upload(wire, PNG, caller=keyed))


def test_a_suspended_account_uploads_nothing(wire: Wire) -> None:
    caller = wire.project(auth=Auth.KEY)
    wire.write(lambda connection: suspend_account(connection, caller.project.account.id))

    def message() -> str | None:
        body = upload(wire, PNG, caller=caller).json()
        return None if body["result"] else str(body["errors"][0]["message"])

    assert until(message, within=5, what="the suspension").startswith("Your account has been suspended.")


def test_check_92_over_the_rate_uploads_are_refused_and_folders_are_not(wire: Wire) -> None:
    caller = wire.project(auth=Auth.KEY)
    wire.write(lambda c: guards.guard_project(c, caller.project, rates={Limited.UPLOAD: "1/h"}))

    assert uploaded(upload(wire, PNG, caller=caller))
    answer = upload(wire, PNG, caller=caller)

    assert answer.status_code == 429
    assert answer.json()["errors"] == [{"code": 0, "message": "Too many requests."}]
    assert int(answer.headers["retry-after"]) > 3000
    assert wire.post(FOLDER, {"name": "a"}, caller=caller).json()["result"]
