"""Section 13: every form in which a Run may give files."""

import io
from typing import Any

import pytest

from tintype.domain.catalogue import Model
from tintype.domain.errors import InvalidInputs
from tintype.domain.file_inputs import file_parameters, urls_of
from tintype.domain.file_types import recognize
from tintype.domain.inputs import estimated_work, read_inputs
from tintype.domain.parameter import Group, Parameter
from tintype.domain.part import Part, parts_in, with_parts

A, B, C = "http://x.example/a.png", "https://x.example/b,c.png?d=e,f", "HTTP://X.example/c"


def part(name: str = "a.png", content: bytes = b"\x89PNG\r\n\x1a\n" + bytes(20)) -> Part:
    return Part(
        name=name,
        size=len(content),
        digest="d",
        kind=recognize(content, name),
        content=io.BytesIO(content),
    )


def model(*parameters: Parameter) -> Model:
    group = Group(title="Inputs", items=parameters)
    return Model(id=1, owner="o", project="m", title="t", description="d", cps="0", parameters=(group,))


def parameter(kind: str, name: str = "picture", **more: Any) -> Parameter:
    return Parameter(id=name, type=kind, label="Picture", **more)


def read(kind: str, given: dict[str, Any], name: str = "picture", **more: Any) -> list[Any]:
    return list(read_inputs(model(parameter(kind, name, **more)), given)[name])


def refused(kind: str, given: dict[str, Any], **more: Any) -> str:
    with pytest.raises(InvalidInputs) as refusal:
        read(kind, given, **more)
    return str(refusal.value)


P, Q = part("p.png"), part("q.png")
ALL = ("fileinput", "multifileinput", "combinefileinput")


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize(
    ("given", "files"),
    [
        ({"picture": P}, [P]),
        ({"picture": P, "pictureUrl": ""}, [P]),
        ({"picture": "", "pictureUrl": A}, [A]),
        ({"picture": None, "pictureUrl": B}, [B]),
        ({"pictureUrl": f" {A}\n"}, [A]),
        ({"picture": A}, [A]),
        ({"picture": [A]}, [A]),
        ({"picture": ["", P]}, [P]),
        ({"picture": C}, []),
        ({"picture": ""}, []),
        ({"picture": None}, []),
        ({"picture": []}, []),
        ({"picture": ["", None]}, []),
        ({"pictureUrl": ""}, []),
        ({"pictureUrl": []}, []),
        ({}, []),
    ],
)
def test_check_68_one_file_may_be_given_in_every_form(
    kind: str, given: dict[str, Any], files: list[Any]
) -> None:
    assert read(kind, given) == (files if given != {"picture": C} else [C])


@pytest.mark.parametrize("kind", ["multifileinput", "combinefileinput"])
@pytest.mark.parametrize(
    ("given", "files"),
    [
        ({"picture": [P, Q]}, [P, Q]),
        ({"picture": [P, A, Q, B]}, [P, A, Q, B]),
        ({"picture": [A, B]}, [A, B]),
        ({"picture": f"{A},{B}"}, [A, B]),
        ({"picture": f"{B} , {A},"}, [B, A]),
        ({"pictureUrl": f"{A},{B},{C}"}, [A, B, C]),
        ({"pictureUrl": [f"{A},{B}", C]}, [A, B, C]),
        ({"picture": [P, Q], "pictureUrl": f"{A},{B}"}, [P, Q, A, B]),
        ({"picture": P, "pictureUrl": A}, [P, A]),
        ({"picture": "", "pictureUrl": f"{A}, {C}"}, [A, C]),
    ],
)
def test_check_68_several_files_may_be_given_in_every_form(
    kind: str, given: dict[str, Any], files: list[Any]
) -> None:
    assert read(kind, given) == files


@pytest.mark.parametrize("kind", ALL)
def test_check_68_beside_multiple_urls_have_two_names(kind: str) -> None:
    for name in ("imageMultipleUrl", "imageUrlMultiple"):
        assert read(kind, {name: A}, name="imageMultiple") == [A]
    assert read("multifileinput", {"imageMultiple": P, "imageUrlMultiple": f"{A},{B}"}, "imageMultiple") == [
        P,
        A,
        B,
    ]


def test_one_url_may_have_commas() -> None:
    url = "https://x.example/crop,https://y.example/a.png"

    assert read("fileinput", {"picture": url}) == [url]


@pytest.mark.parametrize("given", [{"picture": [P, Q]}, {"picture": P, "pictureUrl": A}, {"picture": [A, B]}])
def test_a_single_file_is_not_several(given: dict[str, Any]) -> None:
    assert refused("fileinput", given) == "Request parameter [picture] must be one file or URL"


def test_there_is_a_limit_to_several() -> None:
    urls = [f"http://x.example/{number}" for number in range(9)]

    assert read("combinefileinput", {"picture": urls[:8]}) == urls[:8]
    assert refused("combinefileinput", {"picture": urls}) == (
        "Request parameter [picture] must be at most 8 files"
    )
    assert "at most 2 files" in refused("multifileinput", {"picture": urls[:3]}, max_files=2)


@pytest.mark.parametrize("kind", ALL)
def test_a_required_file_that_is_absent_is_named(kind: str) -> None:
    for given in ({}, {"picture": ""}, {"picture": "", "pictureUrl": ""}, {"picture": ["", ""]}):
        assert refused(kind, given, required=True) == "Request files [picture] required"


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize(
    "entry", ["a.png", "/a.png", "ftp://x/a.png", "file:///etc/passwd", "http://", "http://a b", 1, True, {}]
)
def test_what_is_neither_a_file_nor_a_url_is_refused(kind: str, entry: Any) -> None:
    for given in ({"picture": entry}, {"picture": [entry]}, {"pictureUrl": entry}):
        assert refused(kind, given) == "Request parameter [picture] must be a file or an absolute http(s) URL"


@pytest.mark.timeout(5)
@pytest.mark.parametrize("text", [" " * 10**6 + "x", "," * 10**6, ", " * 10**6, "http://" * 10**6])
def test_an_endless_text_is_refused_at_once(text: str) -> None:
    assert "must be a file or an absolute" in refused("combinefileinput", {"pictureUrl": text})


def test_only_pictures_are_shown_to_models() -> None:
    for other in (part("a.txt", b"words"), part("a.pdf", b"%PDF-1.7 "), part("a.exe", b"MZ\0\0")):
        assert refused("fileinput", {"picture": other}) == (
            "Request parameter [picture] must be a picture (jpg, png, gif, webp)"
        )


SIZES = (
    parameter("combinefileinput"),
    Parameter(
        id="width",
        type="number",
        label="Width",
        default=1024,
        min=64,
        max=2048,
        integer=True,
        zero_is_unset=True,
        like_picture=True,
    ),
    Parameter(id="height", type="number", label="Height", default=512, like_picture=True),
)


@pytest.mark.parametrize("unset", [None, "", 0, "0"])
def test_a_size_that_is_not_set_follows_from_the_picture_if_there_is_one(unset: Any) -> None:
    with_picture = read_inputs(model(*SIZES), {"picture": A, "width": unset, "height": 256})
    without = read_inputs(model(*SIZES), {"width": unset, "height": 256})

    assert (with_picture["width"], with_picture["height"]) == (0, 256)
    assert (without["width"], without["height"]) == (1024, 256)
    assert estimated_work({**with_picture, "steps": 2}) == 1024 * 256 * 2


def test_files_are_told_from_other_inputs() -> None:
    assert file_parameters(model(*SIZES, parameter("fileinput", "mask"))) == {"picture": 8, "mask": 1}
    assert urls_of({"picture": [A, B], "prompt": "x", "mask": [C]}) == [
        ("picture", A),
        ("picture", B),
        ("mask", C),
    ]


def test_parts_are_found_and_replaced_where_they_stand() -> None:
    values = {"picture": [P, A], "mask": Q, "prompt": "x", "other": [1, [2]]}

    assert parts_in(values) == [("picture", P), ("mask", Q)]
    assert with_parts(values, lambda part: part.name) == {
        "picture": ["p.png", A],
        "mask": "q.png",
        "prompt": "x",
        "other": [1, [2]],
    }
