"""`tintype project set`, `rotate-key` and the like, also while a server runs."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cli.commands import tintype
from serving import MODEL, Server, until
from tintype_client import Client, Refused, Unauthorized

Command = Callable[..., Any]


@pytest.fixture
def project(tmp_path: Path) -> Command:
    """Calls `tintype project …` in a folder of its own; the process as it ended."""
    return lambda *arguments: tintype("project", *arguments, cwd=tmp_path, data="data")


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A folder with a project."""
    folder = tmp_path_factory.mktemp("shop")
    made = tintype("project", "create", "--name", "shop", "--json", cwd=folder, data="data")
    return folder, shown(made)


@pytest.fixture
def shop(tmp_path: Path, founded: tuple[Path, dict[str, Any]]) -> dict[str, Any]:
    """A project that there is."""
    folder, project = founded
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    return dict(project)


def shown(done: Any) -> Any:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_what_is_given_is_changed_and_the_rest_stays(project: Command, shop: dict[str, Any]) -> None:
    changed = shown(
        project(
            *("set", "shop", "--name", "gallery", "--max-concurrent", "3", "--weight", "2.5"),
            *("--priority", "high"),
            *("--allow", "192.0.2.7", "--allow", "10.0.0.0/8", "--json"),
        )
    )
    again = shown(project("set", "gallery", "--max-concurrent", "none", "--allow", "any", "--json"))

    assert (changed["name"], changed["max_concurrent"], changed["weight"]) == ("gallery", 3, 2.5)
    assert (shop["priority"], changed["priority"]) == ("normal", "high")
    assert changed["allowed_addresses"] == ["192.0.2.7", "10.0.0.0/8"]
    assert (changed["id"], changed["key"]) == (shop["id"], shop["key"])
    assert again == changed | {"max_concurrent": None, "allowed_addresses": []}


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("set", "shop"), "nothing to change; `tintype project set --help` shows what can be"),
        (("set", "nobody", "--weight", "2"), "there is no project 'nobody'"),
        (("set", "shop", "--max-concurrent", "many"), "must be a whole number or none"),
        (("set", "shop", "--weight", "0"), "project shop: a weight is a number from 0.001 to 1000, not 0"),
        (("set", "shop", "--priority", "urgent"), "'urgent' is not one of 'high', 'normal', 'low'"),
        (("set", "shop", "--allow", "here"), "project shop: 'here' is no IP address or network"),
        (("set", "shop", "--allow", "any", "--allow", "::1"), "--allow any stands alone"),
        (("rotate-key", "shop", "--overlap", "soon"), "--overlap soon: must be a time such as 0, 90s"),
        (("rotate-secret", "shop", "--overlap", "366d"), "at most 365d"),
    ],
)
def test_what_makes_no_sense_is_one_clear_line(
    project: Command, shop: dict[str, Any], arguments: tuple[str, ...], problem: str
) -> None:
    done = project(*arguments)

    assert done.returncode == 2
    assert problem in done.stderr
    assert shown(project("show", "shop", "--json")) == shop


@pytest.fixture
def caller(plain_server: Server, tmp_path: Path) -> Iterator[tuple[Command, Client, dict[str, Any]]]:
    """A project of a running server: its commands, a client that speaks for it, and its fields."""

    def command(*arguments: str) -> Any:
        return tintype("project", *arguments, cwd=tmp_path, data=str(plain_server.data))

    name = f"caller of {tmp_path.name}"
    fields = shown(command("create", "--name", name, "--json"))
    with Client(plain_server.url, fields["key"], fields["secret"]) as client:
        yield command, client, fields


Caller = tuple[Command, Client, dict[str, Any]]


def test_both_keys_count_until_the_overlap_is_over(plain_server: Server, caller: Caller) -> None:
    command, old, fields = caller

    rotated = shown(command("rotate-key", fields["name"], "--overlap", "1h", "--json"))
    with Client(plain_server.url, rotated["key"], fields["secret"]) as new:
        assert rotated["old_key"] == fields["key"] != rotated["key"]
        assert old.list().total == new.list().total == 0

        command("rotate-key", fields["name"], "--overlap", "0")

        for client in (old, new):
            until(lambda client=client: is_refused(client), within=20, what="the key to be refused")


def test_a_new_secret_replaces_the_old_one_at_once_if_asked(plain_server: Server, caller: Caller) -> None:
    command, old, fields = caller

    rotated = command("rotate-secret", fields["name"], "--overlap", "0", "--json")
    secret = shown(rotated)["secret"]

    until(lambda: is_refused(old), within=20, what="the old secret to be refused")
    with Client(plain_server.url, fields["key"], secret) as new:
        assert new.list().total == 0


def test_a_running_server_heeds_limits_and_suspension(caller: Caller) -> None:
    command, client, fields = caller
    client.run(MODEL, prompt="a red apple")

    command("set", fields["name"], "--max-concurrent", "0")
    until(lambda: "task limit of 0" in refusal(client), within=20, what="the limit to be heeded")
    command("suspend", fields["name"])
    until(lambda: "has been suspended" in refusal(client), within=20, what="the suspension to be heeded")
    command("resume", fields["name"])
    until(lambda: "task limit of 0" in refusal(client), within=20, what="the project to be resumed")
    command("set", fields["name"], "--allow", "192.0.2.7")
    until(lambda: is_refused(client), within=20, what="the list of addresses to be heeded")


def is_refused(client: Client) -> bool:
    try:
        client.list()
    except Unauthorized:
        return True
    return False


def refusal(client: Client) -> str:
    try:
        client.run(MODEL, prompt="a red apple")
    except Refused as refused:
        return refused.message
    return ""
