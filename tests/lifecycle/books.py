"""What a server's database says about its tasks, read beside the server."""

import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

from serving import ServedTask, Server

TERMINAL = ("task_postprocess_end", "task_cancel")


class Books:
    """The SQLite file of a data folder."""

    def __init__(self, data: Path) -> None:
        self._path = data / "tintype.db"

    def statuses(self) -> Counter[str]:
        return Counter(status for (status,) in self._rows("SELECT status FROM tasks"))

    def finished(self) -> int:
        return self.statuses()["task_postprocess_end"]

    def unfinished(self) -> int:
        return sum(count for status, count in self.statuses().items() if status not in TERMINAL)

    def lost_attempts(self) -> int:
        """How many attempts were lost by all tasks together."""
        return int(self._rows("SELECT SUM(lost_attempts) FROM tasks")[0][0])

    def ids(self) -> set[str]:
        return {task_id for (task_id,) in self._rows("SELECT CAST(id AS TEXT) FROM tasks")}

    def charges(self) -> dict[str, int]:
        """How often each task was charged, by its id."""
        return dict(
            self._rows(
                "SELECT CAST(task_id AS TEXT), COUNT(*) FROM ledger"
                " WHERE task_id IS NOT NULL GROUP BY task_id"
            )
        )

    def outputs(self) -> dict[str, int]:
        """How many outputs each task has, by its id."""
        rows = self._rows(
            "SELECT CAST(task_id AS TEXT), COUNT(*) FROM files WHERE role = 'output' GROUP BY task_id"
        )
        return dict(rows)

    def _rows(self, query: str) -> list[Any]:
        with closing(sqlite3.connect(self._path, timeout=30)) as connection:
            return connection.execute(query).fetchall()


def assert_each_ended_once(server: Server, accepted: list[ServedTask]) -> None:
    """Every task, and so every accepted one, has succeeded, has its one picture, and was charged once."""
    books = Books(server.data)
    ids = books.ids()
    assert {task.id for task in accepted} <= ids
    assert books.statuses() == {"task_postprocess_end": len(ids)}
    assert books.charges() == books.outputs() == dict.fromkeys(ids, 1)
    for task in accepted:
        ended = task.detail()
        assert ended.succeeded, ended.debug_error
        assert server.client.download(ended.output)
