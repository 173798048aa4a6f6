"""Moderated tasks on the wire."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from serving import Server, start_server

SENTENCE = "You can provide a callback URL"
REFUSAL = "Request moderated (stage: prompt, category: violence, score: 0.88)"
NOTE = "callbackUrl is not an absolute http(s) URL; no callback will be sent."


@pytest.mark.parametrize(
    ("callback_url", "text"), [("", REFUSAL), (SENTENCE, f"{REFUSAL}\n{NOTE}")], ids=["none", "a sentence"]
)
def test_check_91_a_moderated_task_fails_for_free_and_says_why(
    plain_server: Server, callback_url: str, text: str
) -> None:
    run = plain_server.run("a dismembered body", safetyTolerance="2", callbackUrl=callback_url)

    run.ends()

    (task,) = plain_server.post("/v1/Task/Detail", {"taskid": run.id}).json()["tasklist"]
    assert (task["status"], task["pexit"]) == ("task_postprocess_end", "1")
    assert (task["totalcost"], task["outputs"], task["outputfolderid"]) == ("0", [], "0")
    assert task["debugerror"] == text
    assert task["assigntime"] == task["starttime"] == "0"
    assert int(task["preprocessendtime"]) >= int(task["preprocessstarttime"]) > 0


@pytest.fixture(scope="module")
def stern_server(tmp_path_factory: pytest.TempPathFactory, tiny_checkpoint: Path) -> Iterator[Server]:
    """A server with a real engine, for whose operator every picture is too much."""
    folder = tmp_path_factory.mktemp("stern")
    levels = folder / "levels.toml"
    levels.write_text("[picture]\nsexual = [0, 0, 0, 0, 0, 0, 0]\n")
    with start_server(folder / "data", weights=tiny_checkpoint, moderation_levels=levels) as server:
        yield server


@pytest.mark.parametrize(("callback_url", "note"), [("", ""), (SENTENCE, NOTE)], ids=["none", "a sentence"])
def test_check_91_a_moderated_picture_fails_for_free_and_is_not_kept(
    stern_server: Server, callback_url: str, note: str
) -> None:
    run = stern_server.run("a lake", steps=1, callbackUrl=callback_url)

    run.ends()

    (task,) = stern_server.post("/v1/Task/Detail", {"taskid": run.id}).json()["tasklist"]
    assert (task["status"], task["pexit"]) == ("task_postprocess_end", "1")
    assert (task["totalcost"], task["outputs"], task["size"], task["outputfolderid"]) == ("0", [], "0", "0")
    said, _, rest = task["debugerror"].partition("\n")
    assert re.fullmatch(r"Content moderated \(stage: image, category: sexual, score: [01]\.\d\d\)", said)
    assert rest == note
    assert int(task["starttime"]) > 0
    assert [path for path in (stern_server.data / "files").rglob("*") if path.is_file()] == []


def test_the_same_prompt_passes_where_more_is_tolerated(plain_server: Server) -> None:
    run = plain_server.run("a dismembered body", safetyTolerance=5)

    assert run.ends().succeeded
