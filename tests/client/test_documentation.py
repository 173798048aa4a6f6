"""The two clients are alike, and the documentation names all they can do."""

import inspect
import re
from pathlib import Path

import pytest

import tintype_client
from serving import KEY, SECRET, Server
from tintype_client import AsyncClient, Client, ClientError

DOCUMENT = (Path(__file__).parents[2] / "docs" / "client.md").read_text("utf-8")
METHODS = tuple(name for name in vars(Client) if not name.startswith("_"))
ERRORS = tuple(
    name
    for name, thing in vars(tintype_client).items()
    if inspect.isclass(thing) and issubclass(thing, ClientError)
)


@pytest.mark.parametrize("name", METHODS)
def test_what_one_client_can_do_the_other_can(name: str) -> None:
    synchronous, asynchronous = getattr(Client, name), getattr(AsyncClient, name)

    assert inspect.signature(synchronous) == inspect.signature(asynchronous)
    assert inspect.iscoroutinefunction(asynchronous)


@pytest.mark.parametrize("name", [name for name in METHODS if name != "close"])
def test_every_call_is_documented(name: str) -> None:
    assert f"`{name}(" in DOCUMENT


@pytest.mark.parametrize("name", ERRORS)
def test_every_error_is_documented(name: str) -> None:
    assert f"`{name}`" in DOCUMENT


def test_the_examples_draw_pictures(
    plain_server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    examples = re.findall(r"```python\n(.+?)```", DOCUMENT, re.DOTALL)
    given = {"http://127.0.0.1:8080": plain_server.url, "API KEY": KEY, "API SECRET": SECRET}
    monkeypatch.chdir(tmp_path)
    for example in examples:
        for placeholder, value in given.items():
            example = example.replace(placeholder, value)
        names: dict[str, tintype_client.Task] = {}
        exec(example, names)

        assert names["task"].succeeded
    assert (tmp_path / "apple.png").read_bytes().startswith(b"\x89PNG")
