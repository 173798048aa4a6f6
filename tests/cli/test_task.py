"""`tintype task`: looking at tasks, and ending them."""

import json
from pathlib import Path

import pytest

from cli.commands import tintype
from serving import Server


def test_a_task_is_shown(plain_server: Server, tmp_path: Path) -> None:
    task = plain_server.run("a red apple").ends()

    done = tintype("task", "show", task.id, cwd=tmp_path, data=str(plain_server.data))

    assert f"id:       {task.id}\n" in done.stdout
    assert "status:   task_postprocess_end\n" in done.stdout
    assert f"picture:  {task.output.url}\n" in done.stdout


def test_a_task_is_shown_as_the_protocol_does(plain_server: Server, tmp_path: Path) -> None:
    task = plain_server.run("a red apple").ends()

    done = tintype("task", "show", task.token, "--json", cwd=tmp_path, data=str(plain_server.data))

    listed = tintype("task", "list", "--limit", "1", "--json", cwd=tmp_path, data=str(plain_server.data))

    detail = plain_server.client.call("/v1/Task/Detail", {"taskid": task.id})
    assert json.loads(done.stdout) == detail["tasklist"][0]
    assert json.loads(done.stdout)["createtime"].isdigit()
    answer = json.loads(listed.stdout)
    assert answer.keys() == {"total", "errors", "tasklist", "result"}
    assert answer["tasklist"][0].keys() == detail["tasklist"][0].keys()


def test_a_running_task_is_killed(server: Server, tmp_path: Path) -> None:
    task = server.run_long()

    done = tintype("task", "kill", task.id, cwd=tmp_path, data=str(server.data))

    assert done.returncode == 0, done.stderr
    assert "status:   task_cancel\n" in done.stdout
    assert task.detail().cancelled


def test_an_ended_task_is_not_cancelled(plain_server: Server, tmp_path: Path) -> None:
    task = plain_server.run("a red apple").ends()

    done = tintype("task", "cancel", task.id, cwd=tmp_path, data=str(plain_server.data))

    assert done.returncode == 3
    assert done.stderr == "tintype: Task is not in a cancellable state.\n"


@pytest.mark.parametrize("command", ["show", "cancel", "kill"])
def test_an_unknown_task_is_one_clear_line(plain_server: Server, tmp_path: Path, command: str) -> None:
    done = tintype("task", command, "999999999", cwd=tmp_path, data=str(plain_server.data))

    assert done.returncode == 3
    assert done.stderr == "tintype: There is no task yet.\n"


def test_the_list_has_the_newest_first(plain_server: Server, tmp_path: Path) -> None:
    older, newer = plain_server.run("an older apple").ends(), plain_server.run("a newer apple").ends()

    done = tintype("task", "list", "--limit", "2", cwd=tmp_path, data=str(plain_server.data))

    first, second = done.stdout.splitlines()
    assert first.startswith(newer.id)
    assert first.endswith("a newer apple")
    assert second.startswith(older.id)
