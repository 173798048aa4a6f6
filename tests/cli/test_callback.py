"""`tintype callback`: one clear line for whatever is not there. What it shows, tests/lifecycle looks at."""

from pathlib import Path

import pytest

from cli.commands import tintype
from tintype.cli.callback import printable


@pytest.mark.parametrize("command", ["show", "resend"])
def test_an_unknown_callback_is_one_clear_line(tmp_path: Path, command: str) -> None:
    done = tintype("callback", command, "msg_nobody", cwd=tmp_path, data="data")

    assert done.returncode == 2
    assert done.stderr == (
        "tintype: there is no callback 'msg_nobody'; `tintype callback list` shows the newest\n"
    )


def test_without_callbacks_the_list_is_empty(tmp_path: Path) -> None:
    done = tintype("callback", "list", "--failed", cwd=tmp_path, data="data")

    assert (done.returncode, done.stdout) == (0, "")


def test_an_overlap_that_is_no_time_is_refused(tmp_path: Path) -> None:
    done = tintype(
        *("project", "rotate-callback-secret", "first", "--overlap", "soon"), cwd=tmp_path, data="data"
    )

    assert done.returncode == 2
    assert "--overlap soon: must be a time such as" in done.stderr


def test_what_a_receiver_answers_moves_no_terminal() -> None:
    assert printable("a \x1b[2J\x9b31m\u202e é ✓") == "a \ufffd[2J\ufffd31m\ufffd é ✓"
