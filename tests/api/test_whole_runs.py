"""The protocol on a whole server: `tintype serve`, its worker and its engine host."""

import io
import time
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from api import commands
from api.bash import NO_CREDENTIALS, bash, prepared
from files import picture
from serving import MODEL, Server, until
from tintype.domain.lifecycle import Status

TERMINAL = ("task_postprocess_end", "task_cancel")


def polled(server: Server, ran: dict[str, Any], *, every: float = 0.4) -> list[dict[str, Any]]:
    """The task at every poll until it ends; every answer is HTTP 200."""
    seen: list[dict[str, Any]] = []
    deadline = time.monotonic() + 60
    while not seen or seen[-1]["status"] not in TERMINAL:
        assert time.monotonic() < deadline, seen[-1]["status"]
        response = server.post("/v1/Task/Detail", {"tasktoken": ran["socketaccesstoken"]})
        assert response.status_code == 200
        seen.append(response.json()["tasklist"][0])
        time.sleep(every)
    return seen


def run(server: Server, **inputs: Any) -> dict[str, Any]:
    response = server.post(f"/v1/Run/{MODEL}", {"prompt": "a red kite", "width": 64, "height": 64, **inputs})
    assert response.json()["result"] is True, response.text
    return dict(response.json())


def test_check_25_the_documented_commands_draw_a_picture(plain_server: Server) -> None:
    prepare = prepared(plain_server.key, plain_server.secret)

    answers = bash(plain_server.url, prepare + "".join(commands.ALL))

    assert len(answers) == 6
    task = polled(plain_server, answers[0])[-1]
    assert (task["status"], task["pexit"], len(task["outputs"])) == ("task_postprocess_end", "0", 1)


def test_check_26_flattened_commands_are_refused(plain_server: Server) -> None:
    for command in commands.ALL:
        (answer,) = bash(plain_server.url, commands.flattened(command))
        assert answer["errors"] == [NO_CREDENTIALS]


def test_check_44_46_66_a_run_ends_with_a_picture_to_download(plain_server: Server) -> None:
    task = polled(plain_server, run(plain_server))[-1]

    assert (task["status"], task["pexit"], task["canceltime"]) == ("task_postprocess_end", "0", "0")
    elapsed = Decimal(task["elapsedseconds"])
    assert abs(elapsed - (int(task["endtime"]) - int(task["accepttime"]))) < 1
    assert Decimal(task["totalcost"]) == elapsed * Decimal(task["cps"])
    (output,) = task["outputs"]
    assert (output["name"], output["contenttype"]) == ("0.png", "image/png")
    assert output["url"].startswith(f"{plain_server.url}/v1/File/")
    download = plain_server.get(output["url"])
    assert download.headers["content-type"] == "image/png"
    assert len(download.content) == int(output["size"]) == int(task["size"])
    assert download.content.startswith(b"\x89PNG")


def test_check_44_a_jpeg_is_named_and_sent_as_one(plain_server: Server) -> None:
    (output,) = polled(plain_server, run(plain_server, outputFormat="jpeg"))[-1]["outputs"]

    assert (output["name"], output["contenttype"]) == ("0.jpeg", "image/jpeg")
    assert plain_server.get(output["url"]).content.startswith(b"\xff\xd8")


def test_check_56_57_polling_a_whole_run_is_always_answered(plain_server: Server) -> None:
    ran = [run(plain_server, steps=50) for _ in range(5)]

    for each in ran:
        seen = polled(plain_server, each, every=0.02)
        statuses = [Status(task["status"]) for task in seen]
        for earlier, later in pairwise(statuses):
            assert earlier is later or earlier.may_become(later) or earlier is Status.QUEUE
        assert seen[-1]["pexit"] == "0"


def test_tools_know_of_the_runs(plain_server: Server) -> None:
    polled(plain_server, run(plain_server))
    slugs = dict(zip(("slugowner", "slugproject"), MODEL.split("/"), strict=True))

    def counted() -> dict[str, Any] | None:
        (item,) = plain_server.post("/v1/Tool/Detail", slugs).json()["tool"]
        return item["taskstat"] if item["taskstat"]["runcount"] else None

    stat = until(counted, within=15, what="the tool to count its runs")
    assert stat["runcount"] >= int(stat["successcount"]) >= 1
    assert int(stat["lastruntime"]) > time.time() - 600


def pixels(server: Server, task: dict[str, Any]) -> bytes:
    (output,) = task["outputs"]
    with Image.open(io.BytesIO(server.get(output["url"]).content)) as picture:
        return picture.convert("RGB").tobytes()


def test_check_86_a_seed_decides_the_picture_and_zero_is_a_seed(server: Server) -> None:
    seeds: list[dict[str, Any]] = [{}, {"seed": 123}, {"seed": ""}, {"seed": 0}, {"seed": "0"}]

    ran = [run(server, steps=2, **seed) for seed in seeds]

    absent, named, empty, zero, text = (pixels(server, polled(server, each, every=0.05)[-1]) for each in ran)
    assert absent == named == empty
    assert zero == text
    assert zero != absent


def test_check_49_50_54_89_a_running_task_can_only_be_killed(server: Server) -> None:
    running = server.run_long()
    running.reaches("task_output")

    def asked(endpoint: str) -> dict[str, Any]:
        response = server.post(f"/v1/Task/{endpoint}", {"socketaccesstoken": running.token})
        assert response.status_code == 200
        return dict(response.json())

    assert asked("Cancel")["errors"] == [{"code": 1, "message": "Task is not in a cancellable state."}]
    assert asked("InputOutputDelete")["errors"] == [
        {"code": 0, "message": "Task must be completed or cancelled before deleting files"}
    ]
    killed = asked("Kill")
    assert killed["result"] is True
    (task,) = killed["tasklist"]
    assert (task["status"], task["pexit"], task["totalcost"]) == ("task_cancel", "", "0")
    assert (task["outputs"], task["canceltime"]) == ([], task["endtime"])
    time.sleep(0.5)
    assert asked("Detail") == asked("Cancel") == asked("Kill") == killed
    assert asked("InputOutputDelete") == {"result": True, "errors": []}


def test_nothing_secret_is_logged(plain_server: Server) -> None:
    run(plain_server, prompt="an unmistakable prompt")

    plain_server.post("/v1/Task/Detail", {"taskid": "1"})

    for secret in (
        plain_server.key,
        plain_server.secret,
        "unmistakable",
        plain_server.headers()["x-signature"],
    ):
        assert secret not in plain_server.log


def test_a_server_that_only_speaks_never_loads_an_engine(tmp_path: Path) -> None:
    import subprocess
    import sys

    program = (
        "import sys, tintype.api.app; "
        "print({'torch', 'diffusers', 'transformers', 'numpy', 'PIL'} & sys.modules.keys())"
    )

    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path)

    assert printed.stdout.strip() == "set()"


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
def test_a_started_server_lives_and_is_ready(plain_server: Server, path: str) -> None:
    assert plain_server.get(path).status_code == 200


def test_the_second_model_draws_like_the_first_and_pictures_of_others_change_what_it_draws(
    server: Server,
) -> None:
    asked = {"prompt": "a red kite", "width": 64, "height": 64, "steps": 4}
    second = MODEL.removesuffix("-t2i")
    like = picture("PNG", size=(96, 96), colour="green")

    drawn = [
        server.client.draw(MODEL, **asked),
        server.client.draw(second, **asked),
        server.client.draw(second, **asked, inputImage=[like]),
    ]

    assert [task.debug_error for task in drawn] == ["", "", ""]
    first, alone, after = (Image.open(io.BytesIO(server.client.download(task.output))) for task in drawn)
    assert first.tobytes() == alone.tobytes()
    assert after.size == first.size
    assert after.tobytes() != first.tobytes()
