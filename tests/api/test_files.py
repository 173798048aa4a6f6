"""Section 13: downloads."""

import pytest

from api.wire import PICTURE, PUBLIC_URL, Wire

NOT_FOUND = {"errors": [{"code": 1, "message": "File not found."}], "result": False}


@pytest.fixture(scope="module")
def url(wire: Wire) -> str:
    """The path of a finished task's picture."""
    return str(wire.finish(wire.run())["outputs"][0]["url"].removeprefix(PUBLIC_URL))


def test_check_66_a_picture_needs_no_credentials(wire: Wire, url: str) -> None:
    response = wire.http.get(url)

    assert response.status_code == 200
    assert response.content == PICTURE
    assert response.headers["content-type"] == "image/png"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["content-disposition"] == "inline"
    assert response.headers["accept-ranges"] == "bytes"
    assert response.headers["access-control-allow-origin"] == "*"


def test_check_66_urls_follow_the_public_base_and_never_the_host(wire: Wire) -> None:
    ran = wire.run()
    wire.finish(ran)

    task = wire.post("/v1/Task/Detail", ran, headers={"host": "evil.example"}).json()["tasklist"][0]

    assert task["outputs"][0]["url"].startswith(PUBLIC_URL + "/v1/File/")


def test_check_66_head_tells_without_giving(wire: Wire, url: str) -> None:
    response = wire.http.head(url)

    assert (response.status_code, response.content) == (200, b"")
    assert response.headers["content-length"] == str(len(PICTURE))
    assert response.headers["content-type"] == "image/png"


SIZE = len(PICTURE)


@pytest.mark.parametrize(
    ("asked", "part"),
    [
        ("bytes=0-7", range(8)),
        ("bytes=8-", range(8, SIZE)),
        ("bytes=-16", range(SIZE - 16, SIZE)),
        (f"bytes=100-{SIZE * 2}", range(100, SIZE)),
        (f"bytes=-{SIZE * 2}", range(SIZE)),
        ("Bytes=5-5", range(5, 6)),
        (f"bytes=300000-{SIZE - 1}", range(300000, SIZE)),
    ],
)
def test_check_66_a_range_is_a_part(wire: Wire, url: str, asked: str, part: range) -> None:
    for method in ("GET", "HEAD"):
        response = wire.http.request(method, url, headers={"range": asked})

        assert response.status_code == 206
        assert response.headers["content-range"] == f"bytes {part.start}-{part.stop - 1}/{SIZE}"
        assert response.headers["content-length"] == str(len(part))
    assert wire.http.get(url, headers={"range": asked}).content == PICTURE[part.start : part.stop]


@pytest.mark.parametrize("asked", [f"bytes={SIZE}-", "bytes=-0", f"bytes={10**17}-"])
def test_a_range_beyond_the_end_is_refused(wire: Wire, url: str, asked: str) -> None:
    response = wire.http.get(url, headers={"range": asked})

    assert (response.status_code, response.headers["content-range"]) == (416, f"bytes */{SIZE}")


@pytest.mark.parametrize(
    "asked", ["bytes=0-1,4-5", "bytes=5-1", "bytes=-", "bytes=a-b", "items=0-1", "0-1", ""]
)
def test_what_is_no_single_range_gives_the_whole(wire: Wire, url: str, asked: str) -> None:
    response = wire.http.get(url, headers={"range": asked})

    assert (response.status_code, len(response.content)) == (200, SIZE)


def test_a_file_that_one_has_is_not_sent_again(wire: Wire, url: str) -> None:
    etag = wire.http.get(url).headers["etag"]

    for known in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        response = wire.http.get(url, headers={"if-none-match": known})
        assert (response.status_code, response.content) == (304, b"")
        assert response.headers["etag"] == etag
    assert wire.http.get(url, headers={"if-none-match": '"other"'}).status_code == 200


def test_a_part_is_only_sent_of_the_same_file(wire: Wire, url: str) -> None:
    etag = wire.http.get(url).headers["etag"]

    assert wire.http.get(url, headers={"range": "bytes=0-7", "if-range": etag}).status_code == 206
    assert wire.http.get(url, headers={"range": "bytes=0-7", "if-range": '"other"'}).status_code == 200


def test_check_67_a_wrong_key_or_name_is_not_found(wire: Wire, url: str) -> None:
    _, _, _, key, name = url.split("/")
    wrong = (
        f"{key[:-1]}_/{name}",
        f"{key}/1.png",
        f"{key}/0.PNG",
        f"{key.swapcase()}/{name}",
        "a/b",
        "%00/%00",
    )

    for path in wrong:
        for method in ("GET", "HEAD"):
            response = wire.http.request(method, f"/v1/File/{path}")
            assert response.status_code == 404
        assert wire.http.get(f"/v1/File/{path}").json() == NOT_FOUND


def test_a_file_that_was_lost_is_not_found(wire: Wire) -> None:
    output = wire.finish(wire.run())["outputs"][0]
    url = output["url"].removeprefix(PUBLIC_URL)
    wire.do(wire.service.objects.delete(f"outputs/{output['parentid']}/0.png"))

    assert (wire.http.get(url).status_code, wire.http.get(url).json()) == (404, NOT_FOUND)


def test_files_are_read_and_not_posted(wire: Wire, url: str) -> None:
    assert wire.post(url).json()["errors"] == [{"code": 0, "message": "Error parsing url."}]


@pytest.mark.parametrize(
    "content_type", ["text/html", "image/svg+xml", "application/xhtml+xml", "text/xml", "x"]
)
def test_what_a_browser_would_run_is_offered_for_saving(content_type: str) -> None:
    from tintype.api.files import SHOWN_IN_PLACE

    assert SHOWN_IN_PLACE.fullmatch(content_type) is None
