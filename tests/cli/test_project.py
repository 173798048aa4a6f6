"""`tintype project`: who may ask."""

import json
from pathlib import Path

import pytest

from cli.commands import tintype
from serving import MODEL, Server
from tintype_client import Client


def test_a_project_is_made_and_shown_again_with_its_secret(tmp_path: Path) -> None:
    made = tintype("project", "create", "--name", "shop", "--json", cwd=tmp_path, migrated=False, data="data")
    by_name = tintype("project", "show", "shop", "--json", cwd=tmp_path, data="data")
    by_id = tintype(
        "project", "show", str(json.loads(made.stdout)["id"]), "--json", cwd=tmp_path, data="data"
    )

    project = json.loads(made.stdout)
    assert (project["name"], project["auth"], project["account"]) == ("shop", "signature", "default")
    assert len(project["key"]) == len(project["secret"]) == 30
    assert json.loads(by_name.stdout) == json.loads(by_id.stdout) == project


def test_an_account_that_is_made_along_is_said(tmp_path: Path) -> None:
    first = tintype("project", "create", "--name", "one", "--account", "acme", cwd=tmp_path, data="data")
    second = tintype("project", "create", "--name", "two", "--account", "acme", cwd=tmp_path, data="data")
    mistyped = tintype("project", "create", "--name", "three", "--account", "amce", cwd=tmp_path, data="data")

    assert first.stderr == "there was no account 'acme': it was made for this project\n"
    assert second.stderr == ""
    assert "'amce'" in mistyped.stderr


@pytest.mark.parametrize("account", ["", "  ", "a\nb"])
def test_an_account_is_made_along_with_a_proper_name_alone(tmp_path: Path, account: str) -> None:
    done = tintype("project", "create", "--name", "one", "--account", account, cwd=tmp_path, data="data")

    assert done.returncode == 2
    assert "account" in done.stderr
    assert "a name has 1 to 200 printable characters" in done.stderr


@pytest.mark.parametrize("command", ["project", "account", "callback"])
def test_an_empty_list_says_where_it_looked(tmp_path: Path, command: str) -> None:
    done = tintype(command, "list", cwd=tmp_path, data="data")

    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == f"no {command}s in {tmp_path / 'data' / 'tintype.db'}\n"


def test_the_list_has_no_secrets(tmp_path: Path) -> None:
    made = tintype("project", "create", "--name", "shop", "--json", cwd=tmp_path, data="data")

    listed = tintype("project", "list", cwd=tmp_path, data="data")
    as_json = tintype("project", "list", "--json", cwd=tmp_path, data="data")

    project = json.loads(made.stdout)
    assert project["key"] in listed.stdout
    assert project["secret"] not in listed.stdout + as_json.stdout
    assert [each["name"] for each in json.loads(as_json.stdout)] == ["shop"]


def test_a_project_made_while_the_server_runs_may_ask_at_once(plain_server: Server, tmp_path: Path) -> None:
    made = tintype(
        *("project", "create", "--name", "by key", "--auth", "key", "--json"),
        cwd=tmp_path,
        data=str(plain_server.data),
    )

    with Client(plain_server.url, json.loads(made.stdout)["key"]) as client:
        assert client.wait(client.run(MODEL, prompt="a red apple")).succeeded


def test_a_name_is_given_once(tmp_path: Path) -> None:
    tintype("project", "create", "--name", "shop", cwd=tmp_path, data="data")

    again = tintype("project", "create", "--name", "shop", cwd=tmp_path, data="data")

    assert again.returncode == 2
    assert again.stderr == "tintype: project shop: there is one of this name or key already\n"


def test_an_unknown_project_is_one_clear_line(tmp_path: Path) -> None:
    done = tintype("project", "show", "shop", cwd=tmp_path, data="data")

    assert done.returncode == 2
    assert done.stderr == "tintype: there is no project 'shop'; `tintype project list` shows all\n"


def test_an_unknown_proof_names_the_known_ones(tmp_path: Path) -> None:
    done = tintype(
        "project", "create", "--name", "shop", "--auth", "password", cwd=tmp_path, migrated=False, data="data"
    )

    assert done.returncode == 2
    assert "'key'" in done.stderr
    assert not (tmp_path / "data").exists()
