"""The documentation names every command and every exit code."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from tintype.cli import app
from tintype.cli.exits import Exit

DOCUMENT = (Path(__file__).parents[2] / "docs" / "cli.md").read_text("utf-8")


def commands(command: object, name: str) -> Iterator[str]:
    """The full names of all commands below one."""
    if not isinstance(command, TyperGroup):
        yield name
        return
    for below, part in command.commands.items():
        yield from commands(part, f"{name} {below}")


@pytest.mark.parametrize("name", tuple(commands(get_command(app), "tintype")))
def test_every_command_has_a_heading(name: str) -> None:
    assert f"\n### `{name}`\n" in DOCUMENT


@pytest.mark.parametrize("code", tuple(Exit))
def test_every_exit_code_is_explained(code: Exit) -> None:
    assert f"\n| {code.value} | " in DOCUMENT
