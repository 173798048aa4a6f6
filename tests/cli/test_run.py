"""`tintype run`: a picture from a server."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from cli.commands import environment, on_terminal, tintype
from client.breaking import breaking_line
from serving import MODEL, Server, free_port, until

LONG = ("--width", "768", "--height", "768", "--steps", "50")


def access(server: Server) -> dict[str, str]:
    """The server and its project, as the environment says it."""
    return {"url": server.url, "key": server.key, "secret": server.secret}


def test_a_picture_is_written_and_its_name_printed(plain_server: Server, tmp_path: Path) -> None:
    done = tintype(
        *("run", MODEL, "--prompt", "a red apple", "-o", "apple.png", "--width", "128", "--height", "64"),
        cwd=tmp_path,
        **access(plain_server),
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout == "apple.png\n"
    assert done.stderr.splitlines()[0] == "sending"
    assert done.stderr.splitlines()[-1] == "done"
    with Image.open(tmp_path / "apple.png") as picture:
        assert picture.size == (128, 64)


def test_the_embedded_model_draws_it_too(drawing_server: Server, tmp_path: Path) -> None:
    done = tintype(
        *("run", MODEL, "--prompt", "a red apple", "--width", "256", "--height", "256", "--steps", "8"),
        cwd=tmp_path,
        **access(drawing_server),
    )

    assert done.stdout == "a-red-apple.png\n", done.stderr
    with Image.open(tmp_path / "a-red-apple.png") as picture:
        assert len(picture.convert("RGB").getcolors(256 * 256) or ()) > 100


def test_without_credentials_the_server_of_the_folder_is_meant(plain_server: Server, tmp_path: Path) -> None:
    done = tintype(
        "run", MODEL, "--prompt", "a red apple", "-o", "apple.png", cwd=tmp_path, data=str(plain_server.data)
    )

    assert done.returncode == 0, done.stderr
    assert (tmp_path / "apple.png").exists()


def test_local_credentials_do_not_go_to_another_address(plain_server: Server, tmp_path: Path) -> None:
    done = tintype(
        *("run", MODEL, "--prompt", "a red apple", "--url", "http://127.0.0.1:9"),
        cwd=tmp_path,
        data=str(plain_server.data),
    )

    assert done.returncode == 2
    assert "no API key for http://127.0.0.1:9" in done.stderr


def test_an_address_that_is_none_is_a_slip_of_the_command_line(tmp_path: Path) -> None:
    done = tintype("run", MODEL, "--prompt", "x", "--url", "localhost:8080", "--key", "key", cwd=tmp_path)

    assert done.returncode == 2
    assert "--url localhost:8080: an address begins with http:// or https://" in done.stderr


def test_a_model_s_name_is_looked_at_first(tmp_path: Path) -> None:
    done = tintype("run", "flux", "--prompt", "x", cwd=tmp_path)

    assert done.returncode == 2
    assert done.stderr == "tintype: 'flux' is no model's name; it has the form owner/model\n"


def test_with_no_credentials_at_all_it_says_which_are_needed(tmp_path: Path) -> None:
    done = tintype("run", MODEL, "--prompt", "a red apple", cwd=tmp_path)

    assert done.returncode == 2
    assert "TINTYPE_KEY" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_inputs_reach_the_model_under_their_own_names(plain_server: Server, tmp_path: Path) -> None:
    done = tintype(
        *("run", MODEL, "--prompt", "a red apple", "--safety-tolerance", "5", "--outputFormat", "jpeg"),
        *("-p", "seed=7", "--json"),
        cwd=tmp_path,
        **access(plain_server),
    )

    report = json.loads(done.stdout)
    assert report["task"]["parameters"] == {
        "prompt": "a red apple",
        "safetyTolerance": "5",
        "outputFormat": "jpeg",
        "seed": "7",
    }
    assert report["files"] == ["a-red-apple.jpg"]
    detail = plain_server.client.call("/v1/Task/Detail", {"taskid": report["task"]["id"]})
    assert report["task"] == detail["tasklist"][0]


@pytest.mark.parametrize("as_json", [False, True])
def test_a_task_that_fails_is_never_said_to_be_done(
    plain_server: Server, tmp_path: Path, as_json: bool
) -> None:
    done = tintype(
        *("run", MODEL, "--prompt", "a dismembered body", "--safety-tolerance", "2"),
        *(["--json"] if as_json else []),
        cwd=tmp_path,
        **access(plain_server),
    )

    assert done.returncode == 1
    *told, ended, reason = done.stderr.splitlines()
    assert ended == "failed"
    assert not {"drawn", "done"} & set(told)
    assert "Request moderated" in reason
    if as_json:
        report = json.loads(done.stdout)
        assert (report["task"]["pexit"], report["files"]) == ("1", [])
    else:
        assert done.stdout == ""


def test_wrong_inputs_are_refused_in_the_words_of_the_server(plain_server: Server, tmp_path: Path) -> None:
    done = tintype(
        "run", MODEL, "--prompt", "a red apple", "--width", "1000", cwd=tmp_path, **access(plain_server)
    )

    assert done.returncode == 3
    assert done.stderr.endswith("tintype: Request parameter [width] must be a multiple of 16\n")


def test_a_mistyped_input_is_noticed(plain_server: Server, tmp_path: Path) -> None:
    done = tintype("run", MODEL, "-p", "widht=512", cwd=tmp_path, **access(plain_server))

    assert done.returncode == 2
    assert f"{MODEL} has no input widht; did you mean width?" in done.stderr


def test_an_unknown_model_names_the_known_ones(plain_server: Server, tmp_path: Path) -> None:
    done = tintype("run", "no/such", "--prompt", "a red apple", cwd=tmp_path, **access(plain_server))

    assert done.returncode == 3
    assert f"the server has no model no/such; it has {MODEL}" in done.stderr


@pytest.mark.parametrize(("key", "secret"), [("wrong", "wrong"), (None, "wrong")])
def test_wrong_credentials_are_told_with_what_to_check(
    plain_server: Server, tmp_path: Path, key: str | None, secret: str
) -> None:
    done = tintype(
        *("run", MODEL, "--prompt", "a red apple"),
        cwd=tmp_path,
        url=plain_server.url,
        key=key or plain_server.key,
        secret=secret,
    )

    assert done.returncode == 3
    assert "Project authorization is not" in done.stderr
    assert "check --key and --secret" in done.stderr


def test_a_server_that_is_down_is_told_with_its_address(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}"

    done = tintype("run", MODEL, "--prompt", "a red apple", cwd=tmp_path, url=url, key="key", secret="secret")

    assert done.returncode == 4
    assert f"tintype: no answer from {url}" in done.stderr
    assert "Traceback" not in done.stderr


def test_control_c_kills_the_task_and_waits_until_that_is_confirmed(server: Server, tmp_path: Path) -> None:
    with on_terminal(
        *("run", MODEL, "--prompt", "a red kite", *LONG, "-o", "kite.png"), cwd=tmp_path, **access(server)
    ) as terminal:
        terminal.shows("drawing")
        terminal.shows(" of 50, ")

        terminal.press_control_c()

        assert terminal.ends() == 130
    task = server.client.list(limit=1).tasks[0]
    assert task.parameters["prompt"] == "a red kite"
    assert task.cancelled
    assert f"interrupted; task {task.id} is killed" in terminal.screen
    assert not (tmp_path / "kite.png").exists()


def test_control_c_before_the_server_has_answered_kills_the_task_too(server: Server, tmp_path: Path) -> None:
    before = server.client.list().total
    with (
        breaking_line(server.url, "silence") as line,
        on_terminal(
            *("run", MODEL, "--prompt", "a kite", *LONG),
            cwd=tmp_path,
            **(access(server) | {"url": line.url}),
        ) as terminal,
    ):
        until(lambda: server.client.list().total > before, within=30, what="the task")

        terminal.press_control_c()

        assert terminal.ends() == 130
    page = server.client.list(limit=1)
    assert page.total == before + 1
    assert page.tasks[0].cancelled


def test_control_c_when_the_server_is_gone_says_that_the_task_may_go_on(
    plain_server: Server, tmp_path: Path
) -> None:
    before = plain_server.client.list().total
    with breaking_line(plain_server.url, "silence") as line:
        there = access(plain_server) | {"url": line.url}
        with on_terminal("run", MODEL, "--prompt", "a kite", cwd=tmp_path, **there) as terminal:
            until(lambda: plain_server.client.list().total > before, within=30, what="the task")
            line.cut()

            terminal.press_control_c()

            assert terminal.ends() == 130
    assert "interrupted, but a task may go on: no answer from" in " ".join(terminal.screen.split())


def test_a_task_that_somebody_else_kills_ends_the_command(server: Server, tmp_path: Path) -> None:
    with on_terminal("run", MODEL, "--prompt", "a kite", *LONG, cwd=tmp_path, **access(server)) as terminal:
        terminal.shows("drawing")
        task = server.client.list(limit=1).tasks[0]

        server.client.kill(task)

        assert terminal.ends() == 1
    assert f"tintype: task {task.id} was cancelled" in terminal.screen


def test_it_needs_nothing_of_the_server_and_the_engine(plain_server: Server, tmp_path: Path) -> None:
    done = without_extras("run", MODEL, "--prompt", "a red apple", cwd=tmp_path, **access(plain_server))

    assert done.stdout == "a-red-apple.png\n", done.stderr


@pytest.mark.parametrize("command", [("serve",), ("project", "list")])
def test_a_command_that_needs_more_than_the_client_says_so(tmp_path: Path, command: tuple[str, ...]) -> None:
    done = without_extras(*command, cwd=tmp_path)

    assert done.returncode == 2
    assert done.stderr.endswith("this command needs `pip install 'tintype[server,engine]'`\n")


def without_extras(*arguments: str, cwd: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """Calls `tintype` as if `pip install tintype` had installed nothing but the client."""
    missing = "torch diffusers numpy PIL sqlalchemy alembic starlette uvicorn uvloop structlog obstore"
    code = f"""
import sys
sys.modules.update(dict.fromkeys({missing!r}.split()))
from tintype.cli import main
main()
"""
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=cwd,
        env=environment(**settings),
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize(
    ("modules", "heavy"),
    [
        ("cli", "torch sqlalchemy starlette uvicorn httpx2 msgspec asyncio"),
        ("bootstrap.books storage.sqlite", "torch alembic starlette uvicorn aiohttp structlog"),
        ("bootstrap.engines bootstrap.policies bootstrap.catalogue", "torch sqlalchemy starlette aiohttp"),
    ],
    ids=["help", "a command on the books", "draw"],
)
def test_a_command_is_quick_because_it_imports_nothing_heavy_in_vain(
    tmp_path: Path, modules: str, heavy: str
) -> None:
    imports = ", ".join(f"tintype.{module}" for module in modules.split())
    code = f"import sys, {imports}; print(sorted(set({heavy.split()}) & sys.modules.keys()))"

    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )

    assert done.stdout == "[]\n", done.stderr


def test_a_quote_prints_time_and_price_and_draws_nothing(plain_server: Server, tmp_path: Path) -> None:
    asked = ("run", MODEL, "--prompt", "a red apple", "--width", "128", "--quote")

    done = tintype(*asked, cwd=tmp_path, **access(plain_server))
    as_json = tintype(*asked, "--json", cwd=tmp_path, **access(plain_server))
    refused = tintype(*asked, "--steps", "51", cwd=tmp_path, **access(plain_server))

    assert done.stdout.startswith("about "), done.stderr
    assert " s, $0.0" in done.stdout
    assert json.loads(as_json.stdout).keys() == {"elapsedseconds", "totalcost", "cps"}
    assert refused.returncode == 3
    assert list(tmp_path.iterdir()) == []
