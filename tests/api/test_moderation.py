"""Moderated tasks on the wire."""

import pytest

from serving import Server

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


def test_the_same_prompt_passes_where_more_is_tolerated(plain_server: Server) -> None:
    run = plain_server.run("a dismembered body", safetyTolerance=5)

    assert run.ends().succeeded
