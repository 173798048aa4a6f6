"""Section 2: a body in whatever form it comes; the content decides."""

import os
from urllib.parse import quote_plus

import pytest

from api.wire import RUN, Wire

BOUNDARY = "----tintype"
LIST = "/v1/Task/List"
INVALID = {"code": 0, "message": "Request parameters are invalid."}


def multipart(*parts: tuple[str, bytes | str] | tuple[str, bytes | str, str], end: str = "--\r\n") -> bytes:
    """Parts of (name, value) and of (name, value, file name)."""
    body = b""
    for name, value, *file in parts:
        content = value.encode() if isinstance(value, str) else value
        disposition = f'form-data; name="{name}"' + (f'; filename="{file[0]}"' if file else "")
        body += f"--{BOUNDARY}\r\nContent-Disposition: {disposition}\r\n\r\n".encode() + content + b"\r\n"
    return body + f"--{BOUNDARY}{end}".encode()


MULTIPART = f"multipart/form-data; boundary={BOUNDARY}"
FORM = "application/x-www-form-urlencoded"


@pytest.fixture(scope="session")
def ran(wire: Wire) -> dict[str, str]:
    return wire.run("bodies")


def found(wire: Wire, content: bytes | None, content_type: str | None) -> str:
    """The id of the task that Task/Detail finds for a body."""
    body = wire.send("/v1/Task/Detail", content, content_type).json()
    assert body["result"], body
    return str(body["tasklist"][0]["id"])


def run(wire: Wire, content: bytes, content_type: str) -> dict[str, object]:
    """The parameters of the task that a body starts."""
    body = wire.send(RUN, content, content_type).json()
    assert body["result"], body
    return dict(wire.detail(body)["parameters"])


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "multipart/form-data",
        "multipart/form-data; boundary=abc",
        'multipart/form-data; boundary=""',
        "application/x-www-form-urlencoded",
        "text/plain;charset=UTF-8",
        "application/octet-stream",
        "nonsense",
        None,
    ],
)
def test_check_16_19_a_json_object_is_one_whatever_its_type_says(
    wire: Wire, ran: dict[str, str], content_type: str | None
) -> None:
    body = f'\r\n\t {{"taskid": "{ran["taskid"]}"}} '.encode()

    assert found(wire, body, content_type) == ran["taskid"]


def test_check_17_real_multipart_works_on_task_endpoints(wire: Wire, ran: dict[str, str]) -> None:
    body = multipart(("taskid", ran["taskid"]), ("other", ""))

    assert found(wire, body, MULTIPART) == ran["taskid"]
    assert found(wire, b"\r\n" + body + b"epilogue", MULTIPART) == ran["taskid"]


def test_check_18_forms_work_on_task_endpoints_and_run(wire: Wire, ran: dict[str, str]) -> None:
    assert found(wire, f"taskid={ran['taskid']}&x=".encode(), FORM) == ran["taskid"]
    assert run(wire, b"prompt=a+red%20kite&width=512&height=64.0&seed=", FORM) == {
        "prompt": "a red kite",
        "width": "512",
        "height": "64.0",
        "seed": "",
    }


def test_a_long_form_is_decoded_like_a_short_one(wire: Wire) -> None:
    for odd in ("%", "a%41", "%%3", "ü"):
        text = (odd * 50_000)[: 2**17]
        body = b"prompt=" + quote_plus(text).encode() + b"&&other&=nameless"

        assert run(wire, body, FORM) == {"prompt": text, "other": "", "": "nameless"}


def test_multipart_works_on_run(wire: Wire) -> None:
    body = multipart(("prompt", "Grüße 🪁"), ("width", "512"), ("height", ""), ("steps", "0"))

    assert run(wire, body, MULTIPART) == {
        "prompt": "Grüße 🪁",
        "width": "512",
        "height": "",
        "steps": "0",
    }


def test_a_repeated_key_is_an_array_in_the_order_sent(wire: Wire) -> None:
    form = run(wire, b"prompt=a&tag=3&tag=1&tag=2", FORM)
    parts = run(wire, multipart(("tag", "3"), ("prompt", "a"), ("tag", "1")), MULTIPART)

    assert form["tag"] == ["3", "1", "2"]
    assert parts["tag"] == ["3", "1"]


@pytest.mark.parametrize("body", [None, b"", b" \r\n\t ", b"{}"])
@pytest.mark.parametrize("content_type", [None, "application/json", MULTIPART, "x/y"])
def test_an_empty_body_is_an_empty_object(wire: Wire, body: bytes | None, content_type: str | None) -> None:
    assert wire.send(LIST, body, content_type).json()["result"] is True


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"{]",
        b"{'a': 1}",
        b'{"a": NaN}',
        b'{"a": 1e999}',
        b'{"a": "\xff"}',
        b'{"\xff": 1}',
        b'{"a": "\\ud800"}',
        b'{"a": "\\udc00\\ud800"}',
        b'{"a": ' + b"9" * 5000 + b"}",
        b'{"a": ' * 5000 + b"1" + b"}" * 5000,
        b'{"a":' + b"[" * 64 + b"]" * 64 + b"}",
        b'{"a": 1} {"b": 2}',
        b"\xef\xbb\xbf{}",
        b"[]",
        b"[{}]",
        b'"text"',
        b"null",
        b"7",
        b"a=b",
        b"\x00",
    ],
)
def test_check_22_what_is_no_json_object_is_invalid(wire: Wire, body: bytes) -> None:
    for path in (LIST, RUN, "/v1/Task/Detail", "/v1/Tool/List"):
        response = wire.send(path, body, "application/json")

        assert (response.status_code, response.json()["errors"]) == (200, [INVALID])
        assert response.json()["result"] is False


@pytest.mark.parametrize("body", [b"a=%ff", b"a=\xff", b"%ff=a", b"&".join([b"a=b"] * 10_001)])
def test_a_broken_form_is_invalid(wire: Wire, body: bytes) -> None:
    assert wire.send(LIST, body, FORM).json()["errors"] == [INVALID]


@pytest.mark.parametrize(
    "body",
    [
        multipart(("a", "b"), end=""),
        multipart(("a", "b"))[:-12],
        multipart(("a", b"\xff")),
        b"no boundary at all",
        b"--other\r\n\r\n",
        f"--{BOUNDARY}\r\nContent-Type: text/plain\r\n\r\nnameless\r\n--{BOUNDARY}--\r\n".encode(),
        f"--{BOUNDARY}\r\nX: {'y' * 100_000}\r\n\r\n\r\n--{BOUNDARY}--\r\n".encode(),
    ],
)
def test_broken_multipart_is_invalid(wire: Wire, body: bytes) -> None:
    response = wire.send(LIST, body, MULTIPART)

    assert (response.status_code, response.json()["errors"]) == (200, [INVALID])


def test_check_23_duplicate_and_unknown_keys_are_fine(wire: Wire) -> None:
    body = b'{"prompt": "first", "colour": {"deep": [1, null]}, "prompt": "last", "width": 64}'

    assert run(wire, body, "application/json") == {
        "prompt": "last",
        "colour": {"deep": [1, None]},
        "width": 64,
    }


@pytest.mark.parametrize(
    "prompt", ["Grüße", "日本の陶芸家", "🪁" * 3, "\u0000\u001f\u2028", 'a"b\\c', "e\u0301", " "]
)
def test_check_24_text_comes_back_as_it_was_sent(wire: Wire, prompt: str) -> None:
    assert wire.detail(wire.run(prompt))["parameters"] == {"prompt": prompt}


def test_a_file_for_an_unknown_parameter_fails_nothing(wire: Wire) -> None:
    body = multipart(("prompt", "a kite"), ("colour", os.urandom(100_000), "a.png"), ("empty", b"", ""))

    assert run(wire, body, MULTIPART) == {"prompt": "a kite"}


def test_beyond_16_mib_a_body_is_too_large(wire: Wire) -> None:
    response = wire.post(RUN, {"prompt": "x" * 2**24})

    assert response.status_code == 413
    assert response.json() == {
        "errors": [{"code": 0, "message": "Request body is too large."}],
        "result": False,
    }


def test_beyond_16_mib_a_body_of_unknown_length_is_too_large(wire: Wire) -> None:
    def pieces() -> object:
        yield b'{"prompt": "'
        for _ in range(17):
            yield b"x" * 2**20
        yield b'"}'

    response = wire.send(LIST, pieces())

    assert response.status_code == 413
    assert wire.post(LIST).status_code == 200


def test_beyond_16_mib_texts_in_parts_are_too_large_and_files_are_not(wire: Wire) -> None:
    texts = multipart(("prompt", "x" * 2**23), ("other", "y" * (2**23 + 1)))
    file = multipart(("prompt", "a"), ("picture", b"y" * (2**24 + 1), "a.png"))

    assert wire.send(RUN, texts, MULTIPART).status_code == 413
    assert wire.send(RUN, file, MULTIPART).json()["result"] is True


def test_a_prompt_of_megabytes_still_fits_into_its_task(wire: Wire) -> None:
    ran = wire.run("x" * 3_000_000)

    assert len(wire.detail(ran)["parameters"]["prompt"]) == 3_000_000


@pytest.mark.parametrize("name", [b"prompt", b"callbackUrl"])
def test_a_form_that_would_not_fit_into_an_answer_is_too_large(wire: Wire, name: bytes) -> None:
    body = b"prompt=x&" + name + b"=" + b"%01" * 2_800_000

    assert wire.send(RUN, body, FORM).status_code == 413
