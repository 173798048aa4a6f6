"""`tintype account`: who owns projects, and what they have."""

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from cli.commands import on_terminal, tintype

Command = Callable[..., Any]


@pytest.fixture
def account(tmp_path: Path) -> Command:
    """Calls `tintype account …` in a folder of its own; the process as it ended."""
    return lambda *arguments: tintype("account", *arguments, cwd=tmp_path, data="data")


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an account."""
    folder = tmp_path_factory.mktemp("studio")
    asked = ("account", "create", "--name", "studio", "--email", "Studio@Example.org")
    assert tintype(*asked, cwd=folder, data="data").returncode == 0
    return folder


@pytest.fixture
def studio(tmp_path: Path, founded: Path) -> str:
    """The name of an account that there is."""
    shutil.copytree(founded, tmp_path, dirs_exist_ok=True)
    return "studio"


def shown(done: Any) -> Any:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_an_account_is_made_and_found_by_name_address_and_id(account: Command) -> None:
    made = shown(account("create", "--name", "studio", "--email", "Studio@Example.org", "--json"))

    assert made == {
        "id": made["id"],
        "name": "studio",
        "email": "studio@example.org",
        "balance": "$0.00",
        "reserved": "$0.00",
        "suspended": False,
        "projects": [],
    }
    for name in ("studio", "STUDIO@example.org", str(made["id"])):
        assert shown(account("show", name, "--json")) == made | {"entries": []}
    assert shown(account("list", "--json")) == [made]


def test_money_comes_goes_and_is_explained(account: Command, studio: str) -> None:
    assert shown(account("top-up", studio, "$25", "--json"))["balance"] == "$25.00"
    assert shown(account("adjust", studio, "-12.505", "--reason", "typed twice", "--json"))["balance"] == (
        "$12.495"
    )

    entries = shown(account("show", studio, "--json"))["entries"]
    as_text = account("show", studio)

    assert [(entry["kind"], entry["amount"], entry["reason"]) for entry in entries] == [
        ("adjustment", "-$12.505", "typed twice"),
        ("top-up", "$25.00", ""),
    ]
    assert "balance:" in as_text.stdout
    assert "-$12.505" in as_text.stdout
    assert "typed twice" in as_text.stdout


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("top-up", "studio", "ten"), "'ten' is no amount; write dollars with at most 12 decimals"),
        (("top-up", "studio", "1.0000000000001"), "is no amount"),
        (("top-up", "studio", "nan"), "is no amount"),
        (("top-up", "studio", "0"), "a top-up must be more than nothing"),
        (("top-up", "studio", "9000001"), "a balance can be at most $9000000.00"),
        (("top-up", "nobody", "5"), "there is no account 'nobody'; `tintype account list` shows all"),
        (("adjust", "studio", "-1", "--reason", "x"), "at most $0.000000000000 can be taken"),
        (("adjust", "studio", "1"), "Missing option '--reason'"),
        (("refund", "7", "--reason", "x"), "task 7 was not charged; nothing can be given back"),
        (("create", "--name", "studio"), "account studio: there is one of this name already"),
        (("set-email", "studio", "nowhere"), "account studio: 'nowhere' is no e-mail address"),
    ],
)
def test_what_makes_no_sense_is_one_clear_line(
    account: Command, studio: str, arguments: tuple[str, ...], problem: str
) -> None:
    done = account(*arguments)

    assert done.returncode == 2
    assert problem in done.stderr
    assert "Traceback" not in done.stderr


def test_an_account_is_suspended_and_resumed(account: Command, studio: str) -> None:
    assert shown(account("suspend", studio, "--json"))["suspended"] is True
    assert "suspended" in account("list").stdout
    assert shown(account("resume", studio, "--json"))["suspended"] is False


def test_a_password_is_asked_for_twice_and_not_shown(tmp_path: Path, studio: str) -> None:
    with on_terminal("account", "set-password", studio, cwd=tmp_path, data="data") as terminal:
        terminal.shows("New password:")
        terminal.types_secretly("a kite over the sea\n")
        terminal.shows("Repeat for confirmation:")
        terminal.types_secretly("a kite over the sea\n")
        assert terminal.ends() == 0
        assert "the password of studio is set" in terminal.screen
        assert "a kite" not in terminal.screen

    with closing(sqlite3.connect(tmp_path / "data" / "tintype.db")) as database:
        (stored,) = database.execute("SELECT password_hash FROM accounts").fetchone()
    assert stored.startswith("$argon2id$")


def test_a_short_password_is_refused(account: Command, studio: str) -> None:
    done = account("set-password", studio)  # nothing comes from stdin

    assert done.returncode == 2
    assert done.stderr == "tintype: account studio: a password has 10 to 1024 characters\n"


def test_the_audit_tells_whether_the_books_are_right(account: Command, studio: str, tmp_path: Path) -> None:
    account("top-up", studio, "5")
    right = account("audit", "--json")

    with closing(sqlite3.connect(tmp_path / "data" / "tintype.db")) as database, database:
        database.execute("UPDATE accounts SET balance = balance + 1")
    wrong = account("audit")

    assert shown(right) == {
        "accounts": 1,
        "entries": 1,
        "balance": "$5.00",
        "shortfall": "$0.00",
        "problems": [],
    }
    assert wrong.returncode == 1
    assert "the balance is $5.000000000001, its ledger sums to $5.000000000000" in wrong.stderr
