"""Whatever arrives is answered, at once, and never with a fault."""

import math
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.test_bodies import BOUNDARY, FORM, MULTIPART
from api.wire import RUN, Wire
from tintype.api.answers import JSON

PATHS = [
    RUN,
    "/v1/Task/Detail",
    "/v1/Task/List",
    "/v1/Task/Cancel",
    "/v1/Task/Kill",
    "/v1/Task/InputOutputDelete",
    "/v1/Tool/List",
    "/v1/Tool/Detail",
]
TYPES = [
    None,
    "application/json",
    FORM,
    MULTIPART,
    "multipart/form-data; boundary=",
    ";;=",
    "a/b; boundary=\x80",
]
KNOWN = (
    "taskid tasktoken socketaccesstoken start limit sort order modelName type prompt width height guidance "
    "steps seed safetyTolerance outputFormat callbackUrl projectid slugowner slugproject search categories "
    "tags summary"
)

names = st.sampled_from(KNOWN.split()) | st.text(max_size=5)
numbers = st.integers() | st.integers(-(10**400), 10**400) | st.floats(allow_nan=False, allow_infinity=False)
scalars = (
    st.none() | st.booleans() | numbers | st.text(max_size=20) | st.sampled_from(["0", "", "1e999", "-0"])
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3)
)
objects = st.dictionaries(names, values, max_size=8)
scraps = st.sampled_from(
    [
        f"--{BOUNDARY}\r\n",
        f"--{BOUNDARY}--",
        "\r\n\r\n",
        'Content-Disposition: form-data; name="prompt"',
        "{",
        '"a":',
    ]
).map(str.encode)
noise = st.lists(scraps | st.binary(max_size=20), max_size=10).map(b"".join)

quick = settings(
    max_examples=100,
    deadline=2000,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def json_of(value: Any) -> bytes:
    """JSON with whole numbers of any length."""
    if isinstance(value, dict):
        return b"{" + b",".join(json_of(key) + b":" + json_of(each) for key, each in value.items()) + b"}"
    if isinstance(value, list):
        return b"[" + b",".join(map(json_of, value)) + b"]"
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 2**63:
        return str(value).encode()
    assert not (isinstance(value, float) and not math.isfinite(value))
    return msgspec.json.encode(value)


def assert_answered(wire: Wire, path: str, body: bytes, content_type: str | None) -> None:
    response = wire.send(path, body, content_type)

    assert response.status_code == 200, (path, body, response.text)
    assert response.headers["content-type"] == JSON
    answer = response.json()
    assert answer["result"] is (not answer["errors"])
    for error in answer["errors"]:
        assert isinstance(error["code"], int)
        assert error["message"]


@quick
@given(path=st.sampled_from(PATHS), body=objects)
def test_any_json_object_is_answered(wire: Wire, path: str, body: dict[str, Any]) -> None:
    assert_answered(wire, path, json_of(body), "application/json")


@quick
@given(path=st.sampled_from(PATHS), body=noise, content_type=st.sampled_from(TYPES))
def test_any_bytes_are_answered(wire: Wire, path: str, body: bytes, content_type: str | None) -> None:
    assert_answered(wire, path, body, content_type)


@quick
@given(parameters=objects)
def test_whatever_runs_can_be_read_again(wire: Wire, parameters: dict[str, Any]) -> None:
    prompt = {
        "prompt": "",
        "width": 0,
        "height": 0,
        "guidance": 0,
        "steps": 0,
        "outputFormat": "",
        "projectid": "",
    }
    sent = {**parameters, **prompt, "seed": "", "safetyTolerance": "", "callbackUrl": None}

    answer = wire.send(RUN, json_of(sent), "application/json").json()

    assert answer["result"] is True, answer
    del sent["callbackUrl"], sent["projectid"]
    assert wire.detail(answer)["parameters"] == sent


@pytest.mark.parametrize("path", PATHS)
def test_a_sea_of_numbers_is_answered(wire: Wire, path: str) -> None:
    assert_answered(wire, path, b'{"taskid": [' + b"1," * 500_000 + b"1]}", None)
