"""`tintype serve`: what it prints, what it refuses, how it stops."""

import json
import re
import signal
import socket
import subprocess
import time
from pathlib import Path

from cli.commands import on_terminal, tintype
from serving import Server, free_port, start_server, until


def test_the_first_start_prints_the_credentials_and_later_ones_never(tmp_path: Path) -> None:
    unbootstrapped = {"weights": "blank:", "bootstrap_key": "", "bootstrap_secret": ""}
    with start_server(tmp_path / "data", migrated=False, **unbootstrapped) as server:
        first = server.log
    with start_server(tmp_path / "data", **unbootstrapped) as server:
        second = server.log
        url = server.url

    credentials = re.search(r"API key +(\w{30})\n +API secret +(\w{30})\n", first)
    assert credentials, first
    assert f"Tintype serves on {url}\n" in second
    assert credentials[1] not in second
    assert credentials[2] not in second


def test_the_commands_of_the_first_start_can_be_pasted(tmp_path: Path) -> None:
    with start_server(tmp_path / "data", weights="blank:", bootstrap_key="", bootstrap_secret="") as server:
        preparation, run, rest = server.log[server.log.index("export ") :].split("curl -X", 2)
        run, detail = run[: run.index("It answers")], rest[: rest.index("When its status")]

        accepted = json.loads(in_bash(f"{preparation} curl -X {run}"))
        picture = until(
            lambda: json.loads(in_bash(f"{preparation} curl -X {detail}"))["tasklist"][0]["outputs"],
            within=10,
            what="a picture",
        )

    assert accepted["taskid"] == "1"
    assert picture[0]["url"].startswith(f"{server.url}/v1/File/")


def in_bash(commands: str) -> str:
    """What the commands print."""
    done = subprocess.run(["bash", "-c", commands], capture_output=True, text=True, timeout=30, check=True)
    return done.stdout


def test_credentials_that_the_operator_gave_are_not_printed(plain_server: Server) -> None:
    assert f"Tintype serves on {plain_server.url}\n" in plain_server.log
    assert plain_server.secret not in plain_server.log


def test_what_was_drawn_is_there_after_a_restart(tmp_path: Path) -> None:
    with start_server(tmp_path / "data", weights="blank:") as server:
        task = server.run("a red apple").ends()
        port = int(server.url.rpartition(":")[2])

    with start_server(tmp_path / "data", port=port, weights="blank:") as server:
        again = server.client.task(task)
        picture = server.client.download(again.output)

    assert again == task
    assert len(picture) == task.output.size


def test_a_port_in_use_is_one_clear_line(plain_server: Server, tmp_path: Path) -> None:
    port = plain_server.url.rpartition(":")[2]

    done = tintype("serve", "--port", port, "--data", "data", cwd=tmp_path, weights="blank:")

    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert f"TINTYPE_PORT: cannot listen on 127.0.0.1:{port} (Address already in use" in done.stderr
    assert done.stderr.endswith("choose another TINTYPE_PORT or TINTYPE_HOST\n")


def test_a_bad_setting_is_one_clear_line(tmp_path: Path) -> None:
    done = tintype("serve", cwd=tmp_path, port="eighty")

    assert done.returncode == 2
    assert done.stderr == "tintype: TINTYPE_PORT: must be a whole number, not 'eighty'\n"


def test_a_mistyped_setting_is_noticed(tmp_path: Path) -> None:
    done = tintype("serve", cwd=tmp_path, wieghts="blank:")

    assert done.returncode == 2
    assert done.stderr == "tintype: TINTYPE_WIEGHTS: is not a setting; did you mean TINTYPE_WEIGHTS?\n"


def test_missing_weights_end_the_server_with_one_clear_line(tmp_path: Path) -> None:
    done = tintype("serve", cwd=tmp_path, port=str(free_port()), weights="/nowhere")

    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("tintype: /nowhere: ")
    assert "Traceback" not in done.stderr


def test_a_folder_that_is_no_checkpoint_ends_the_server_with_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "klein").mkdir()

    done = tintype("serve", cwd=tmp_path, port=str(free_port()), weights=str(tmp_path / "klein"))

    assert done.returncode == 2
    assert done.stderr == (
        f"tintype: {tmp_path / 'klein'}: model_index.json: is missing; a folder in FLUX.2 format has one "
        "beside transformer, vae, text_encoder, …\n"
    )


def test_options_count_more_than_the_environment(tmp_path: Path) -> None:
    port = free_port()
    with on_terminal(
        "serve", "--port", str(port), "--data", "here", cwd=tmp_path, port="1", weights="blank:"
    ) as terminal:
        terminal.shows(f"Tintype serves on http://127.0.0.1:{port}")
        terminal.shows("engine_ready")

        terminal.press_control_c()

        assert terminal.ends() == 0
    assert (tmp_path / "here" / "tintype.db").exists()


def test_a_config_file_is_read(tmp_path: Path) -> None:
    port = free_port()
    (tmp_path / "tintype.toml").write_text(f'port = {port}\nweights = "blank:"\n')
    with on_terminal("serve", "--config", "tintype.toml", cwd=tmp_path) as terminal:
        terminal.shows(f"Tintype serves on http://127.0.0.1:{port}")
        terminal.shows("engine_ready")
        terminal.press_control_c()

        assert terminal.ends() == 0


def test_its_address_stands_in_the_data_folder_while_it_serves(tmp_path: Path) -> None:
    with start_server(tmp_path / "data", weights="blank:") as server:
        assert (server.data / "address").read_text() == f"{server.url}\n"

    assert not (tmp_path / "data" / "address").exists()


def test_after_the_first_signal_a_running_task_is_finished(tmp_path: Path, tiny_checkpoint: Path) -> None:
    with start_server(tmp_path / "data", weights=tiny_checkpoint, grace=90) as server:
        task = server.run("a red kite", width=384, height=384, steps=20)
        task.reaches("task_output")

        server.signal(signal.SIGTERM)

        assert server.wait(within=90) == 0
        stopped = time.time()
    with start_server(tmp_path / "data", weights="blank:") as later:
        ended = later.client.task(task.token)
    assert ended.succeeded
    assert ended.ended <= stopped


def test_nobody_listens_once_it_has_stopped(tmp_path: Path) -> None:
    with start_server(tmp_path / "data", weights="blank:") as server:
        port = int(server.url.rpartition(":")[2])
        server.stop()

    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


def test_python_m_tintype_is_the_same_command(tmp_path: Path) -> None:
    short = tintype("--version", cwd=tmp_path)
    long = tintype("version", cwd=tmp_path)

    assert short.returncode == long.returncode == 0
    assert short.stdout == long.stdout
    assert short.stdout.startswith("tintype ")
