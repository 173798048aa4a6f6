"""Check 83: clients that know nothing of Tintype draw, follow, cancel and kill; only the address is changed.

Three are written here from the model page and the protocol's text alone. Two are published packages, fetched
when the test runs; where the registry cannot be reached, or does not have them, the test says so and is
skipped. `PUBLISHED_CLIENTS` may name a folder with a `node_modules` that has them already.
"""

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from clients.programs import Program, node_has_sockets
from serving import MODEL, Server, start_server

PROGRAMS = (
    Program("page.sh", lists=False, follows=False),
    Program("standard_library.py"),
    Program("fetch.mjs", follows=node_has_sockets()),
    Program("published_client.mjs", package="@wiro-ai/wiro-mcp", follows=False),
    Program("published_kit.mjs", package="@wiro-ai/wirokit-react-native"),
)

pytestmark = [
    pytest.mark.timeout(400),
    pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.package or program.script),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that holds one task at a time."""
    folder = tmp_path_factory.mktemp("clients")
    with start_server(folder / "data", weights="blank:", places=1) as server:
        yield server


def test_check_83_a_client_lists_uploads_runs_and_follows(
    server: Server, program: Program, tmp_path: Path
) -> None:
    report = program.run("draw", server, tmp_path)

    assert report["polled"] == "task_postprocess_end"
    assert server.client.task(report["task"]).succeeded
    assert httpx2.get(report["picture"]).content.startswith(b"\x89PNG")
    if program.lists:
        assert MODEL in report["models"]
        assert httpx2.get(report["upload"]).status_code == 200
    if program.follows:
        assert report["followed"][0] == "connected"
        assert "task_postprocess_end" in report["followed"]


def test_check_83_a_client_cancels_and_kills(server: Server, program: Program, tmp_path: Path) -> None:
    server.freeze_engine()
    try:
        report = program.run("end", server, tmp_path)
    finally:
        server.thaw_engine()

    assert report == {"cancelled": "task_cancel", "killed": "task_cancel"}
