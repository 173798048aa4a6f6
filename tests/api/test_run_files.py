"""Section 13: files that come with a Run, over the wire."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import pytest

from api.raw import line_to, request
from api.test_bodies import MULTIPART, multipart
from api.wire import PUBLIC_URL, Caller, Wire, start_wire
from files import picture
from tintype.domain.project import Auth

RUN = "/v1/Run/black-forest-labs/flux-2-flex"
PNG, JPEG, WEBP = picture("PNG"), picture("JPEG"), picture("WEBP")
URL, OTHER = "https://pictures.invalid/a.png?x=1,2", "https://pictures.invalid/b"
MIB = 2**20

Parts = list[tuple[str, bytes | str] | tuple[str, bytes | str, str]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("run-files")


@pytest.fixture(scope="module")
def office(folder: Path) -> Iterator[Wire]:
    """A server that takes files of up to one MiB."""
    with start_wire(folder, largest_file=MIB, spool=folder) as wire:
        yield wire


def ran(wire: Wire, *parts: Any, **headers: str) -> dict[str, Any]:
    """The task that a multipart body starts."""
    answer = wire.send(RUN, multipart(("prompt", "x"), *parts), MULTIPART, **headers).json()
    assert answer["result"], answer
    return wire.detail(answer)


def given(wire: Wire, task: dict[str, Any]) -> list[Any]:
    """What the task was given: the bytes of files that are kept here, other URLs as they are."""
    value = task["parameters"].get("inputImage", [])
    return [content(wire, entry) for entry in (value if isinstance(value, list) else [value])]


def content(wire: Wire, url: str) -> Any:
    if not url.startswith(f"{PUBLIC_URL}/v1/File/"):
        return url
    return wire.http.get(url.removeprefix(PUBLIC_URL)).content


def refusal(answer: Any) -> str:
    body = answer.json()
    assert (answer.status_code, body["result"]) == (200, False), body
    assert [error["code"] for error in body["errors"]] == [0]
    return str(body["errors"][0]["message"])


def objects(folder: Path) -> set[Path]:
    return {path for path in (folder / "files").rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("parts", "files"),
    [
        ([("inputImage", PNG, "a.png")], [PNG]),
        ([("inputImage", PNG, "a.png"), ("inputImageUrl", "")], [PNG]),
        ([("inputImage", PNG, "a.png"), ("inputImage", JPEG, "b.jpg")], [PNG, JPEG]),
        ([("inputImage", URL), ("inputImage", PNG, "a.png"), ("inputImage", OTHER)], [URL, PNG, OTHER]),
        ([("inputImage[]", PNG, "a.png"), ("inputImage[]", JPEG, "b.jpg")], [PNG, JPEG]),
        ([("inputImage[]", PNG, "a.png"), ("inputImage", URL), ("inputImage[]", OTHER)], [PNG, URL, OTHER]),
        ([("inputImage", URL)], [URL]),
        ([("inputImage", "")], [""]),
        ([("inputImage", b"", "")], []),
        ([("inputImage", ""), ("inputImage", WEBP, "")], ["", WEBP]),
        ([], []),
    ],
)
def test_check_68_files_and_urls_come_in_any_order(wire: Wire, parts: Parts, files: list[Any]) -> None:
    task = ran(wire, *parts)

    assert given(wire, task) == files


@pytest.mark.parametrize(
    ("asked", "urls"),
    [
        ({"inputImage": [URL, OTHER]}, [URL, OTHER]),
        ({"inputImage": URL}, [URL]),
        ({"inputImage": f"{URL},{OTHER}"}, [URL, OTHER]),
        ({"inputImageUrl": f"{URL}, {OTHER}"}, [URL, OTHER]),
        ({"inputImage": "", "inputImageUrl": URL}, [URL]),
        ({"inputImage": ""}, []),
        ({"inputImage": None}, []),
        ({"inputImage": []}, []),
    ],
)
def test_check_68_json_and_forms_name_urls(wire: Wire, asked: dict[str, Any], urls: list[str]) -> None:
    answer = wire.post(RUN, {"prompt": "x", **asked}).json()
    assert answer["result"], answer

    task = wire.claim(answer)

    assert task.inputs["inputImage"] == urls
    assert {name: value for name, value in task.parameters.items() if name != "prompt"} == asked


@pytest.mark.parametrize("name", ["inputImage[]", "inputImageUrl[]"])
def test_a_name_may_be_marked_as_a_list(wire: Wire, name: str) -> None:
    form = f"prompt=x&{name}={quote_plus(URL)}&{name}={quote_plus(OTHER)}&colour[]=red".encode()
    answers = [
        wire.post(RUN, {"prompt": "x", name: [URL, OTHER], "colour[]": "red"}).json(),
        wire.send(RUN, form, "application/x-www-form-urlencoded").json(),
        wire.send(
            RUN, multipart(("prompt", "x"), (name, URL), (name, OTHER), ("colour[]", "red")), MULTIPART
        ).json(),
    ]

    for answer in answers:
        task = wire.claim(answer)

        assert task.inputs["inputImage"] == [URL, OTHER]
        assert task.parameters == {"prompt": "x", name.removesuffix("[]"): [URL, OTHER], "colour[]": "red"}


def test_too_many_files_marked_as_a_list_are_refused(wire: Wire) -> None:
    parts = [("inputImage[]", PNG, "a.png"), ("inputImage", PNG, "b.png")] * 5

    answer = wire.send(RUN, multipart(("prompt", "x"), *parts), MULTIPART)

    assert refusal(answer) == "Request parameter [inputImage] has too many files"


def test_check_68_every_file_reaches_the_inputs(wire: Wire) -> None:
    parts = [("inputImage", URL), ("inputImage", PNG, "a.png"), ("inputImageUrl", f"{OTHER},{URL}")]
    answer = wire.send(RUN, multipart(("prompt", "x"), *parts), MULTIPART).json()

    task = wire.claim(answer)

    stored = task.parameters["inputImage"][1]
    assert task.inputs["inputImage"] == [URL, stored, OTHER, URL]
    assert (task.inputs["width"], task.inputs["height"]) == (0, 0)
    assert task.parameters == {
        "prompt": "x",
        "inputImage": [URL, stored],
        "inputImageUrl": f"{OTHER},{URL}",
    }


def test_stored_inputs_are_named_after_their_parameter(wire: Wire) -> None:
    task = ran(
        wire, ("inputImage", PNG, "../x.html"), ("inputImage", JPEG, "b"), ("inputImage", WEBP, "a.png")
    )

    urls = task["parameters"]["inputImage"]

    assert [url.rpartition("/")[2] for url in urls] == [
        "inputImage-0.png",
        "inputImage-1.jpg",
        "inputImage-2.webp",
    ]
    download = wire.http.get(urls[1].removeprefix(PUBLIC_URL))
    assert download.headers["content-type"] == "image/jpeg"
    assert all(url.startswith(PUBLIC_URL) for url in urls)


def test_a_file_alone_is_echoed_as_one_url(wire: Wire) -> None:
    task = ran(wire, ("inputImage", PNG, "a.png"), ("unknown", "1"), ("unknown-file", PNG, "b.png"))

    assert content(wire, task["parameters"]["inputImage"]) == PNG
    assert task["parameters"]["unknown"] == "1"
    assert "unknown-file" not in task["parameters"]


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (
            [("inputImage", b"words", "a.png")],
            "Request parameter [inputImage] must be a picture (jpg, png, gif, webp)",
        ),
        (
            [("inputImage", "a.png")],
            "Request parameter [inputImage] must be a file or an absolute http(s) URL",
        ),
        (
            [("inputImage", PNG, "a.png")] * 5 + [("inputImage", URL)] * 4,
            "Request parameter [inputImage] must be at most 8 files",
        ),
        ([("inputImage", PNG, "a.png")] * 9, "Request parameter [inputImage] has too many files"),
        (
            [("inputImage", PNG, "a.png"), ("width", "65")],
            "Request parameter [width] must be a multiple of 16",
        ),
        (
            [("inputImage", PNG, "a.png"), ("projectid", "999999")],
            "You don't have any permission for this action.",
        ),
    ],
)
def test_refused_runs_leave_nothing_behind(office: Wire, folder: Path, parts: Parts, message: str) -> None:
    before = objects(folder)

    answer = office.send(RUN, multipart(("prompt", "x"), *parts), MULTIPART)

    assert refusal(answer) == message
    assert objects(folder) == before
    assert office.do(loose_objects(office)) == []


async def loose_objects(wire: Wire) -> list[Any]:
    return await wire.service.database.read(
        lambda c: list(c.exec_driver_sql("SELECT object_key FROM loose_objects"))
    )


def test_a_file_that_is_too_large_is_refused(office: Wire, folder: Path) -> None:
    before = objects(folder)

    answer = office.send(
        RUN, multipart(("prompt", "x"), ("inputImage", PNG + bytes(MIB), "a.png")), MULTIPART
    )

    assert (answer.status_code, answer.json()["errors"][0]["message"]) == (413, "Request body is too large.")
    assert objects(folder) == before


def test_a_run_that_breaks_off_leaves_nothing(office: Wire, folder: Path) -> None:
    before, body = objects(folder), multipart(("prompt", "x"), ("inputImage", PNG * 5000, "a.png"))
    with line_to(office) as line:
        headers = {**office.caller.headers(), "Content-Type": MULTIPART}
        line.send(request(RUN, {**headers, "Content-Length": str(len(body))}) + body[:-100])

    assert refusal(office.post(RUN, {}))
    assert objects(folder) == before


def test_check_87_the_key_of_a_run_covers_its_files(office: Wire, folder: Path) -> None:
    def again(picture: bytes, key: str, name: str = "a.png") -> Any:
        body = multipart(("prompt", "x"), ("inputImage", picture, name))
        return office.send(RUN, body, MULTIPART, **{"Idempotency-Key": key}).json()

    before = objects(folder)
    first = again(PNG, "k")
    assert len(objects(folder) - before) == 1

    assert again(PNG, '"k"', "another-name.png") == first
    assert again(JPEG, "k")["errors"] == [
        {"code": 0, "message": "Idempotency-Key was already used with a different request."}
    ]
    assert again(JPEG, "other")["taskid"] != first["taskid"]
    assert len(objects(folder) - before) == 2


def test_the_files_of_a_task_are_deleted_with_its_outputs(office: Wire, folder: Path) -> None:
    before = objects(folder)
    task = ran(office, ("inputImage", PNG, "a.png"), ("inputImage", JPEG, "a.jpg"))
    office.finish({"taskid": task["id"]})
    assert len(objects(folder) - before) == 3

    for _ in range(2):
        answer = office.post("/v1/Task/InputOutputDelete", {"taskid": task["id"]}).json()
        assert answer == {"result": True, "errors": []}

    assert objects(folder) == before
    for url in task["parameters"]["inputImage"]:
        assert office.http.get(url.removeprefix(PUBLIC_URL)).status_code == 404
    assert office.detail({"taskid": task["id"]})["parameters"] == task["parameters"]


def test_files_of_strangers_need_only_their_address(wire: Wire, stranger: Caller) -> None:
    headers = stranger.headers()
    theirs = wire.http.post("/v1/File/Upload", files={"file": ("a.png", PNG)}, headers=headers).json()
    url = theirs["list"][0]["url"]

    assert given(wire, ran(wire, ("inputImage", url))) == [PNG]


def test_a_required_file_that_is_absent_is_named(tmp_path: Path) -> None:
    from api.wire import MODELS

    page = (MODELS / "flux-2-flex.toml").read_text()
    models = tmp_path / "models"
    models.mkdir()
    (models / "edit.toml").write_text(page.replace("max_files = 8", "required = true"))
    with start_wire(tmp_path, models=models) as wire:
        for parts in ([], [("inputImage", "")], [("inputImage", b"", "")], [("inputImageUrl", "")]):
            answer = wire.send(RUN, multipart(("prompt", "x"), *parts), MULTIPART)
            assert refusal(answer) == "Request files [inputImage] required"


def test_key_only_projects_run_with_files_too(wire: Wire) -> None:
    caller = wire.project(auth=Auth.KEY)
    body = multipart(("prompt", "x"), ("inputImage", PNG, "a.png"))

    assert wire.send(RUN, body, MULTIPART, caller=caller).json()["result"]


def test_the_page_tells_of_its_files(wire: Wire) -> None:
    page = {"slugowner": "black-forest-labs", "slugproject": "flux-2-flex"}
    (tool,) = wire.post("/v1/Tool/Detail", page).json()["tool"]

    items = {item["id"]: item for group in tool["parameters"] for item in group["items"]}

    assert items["inputImage"] == {
        "id": "inputImage",
        "type": "combinefileinput",
        "label": "Input Image",
        "note": "Up to 8 pictures to edit or to draw after, each a file or a URL.",
        "required": False,
        "advanced": False,
    }
    assert items["width"]["default"] == 1024
    assert "image-to-image" in tool["categories"]
