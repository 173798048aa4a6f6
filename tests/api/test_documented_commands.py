"""Section 4: the model page's commands work verbatim."""

from typing import Any

import pytest

from api import commands
from api.bash import NO_CREDENTIALS, bash, prepared
from api.wire import Wire


def test_check_25_27_the_six_commands_get_six_answers(wire: Wire) -> None:
    answers = bash(wire.url, prepared(wire.caller.key, wire.caller.secret) + "".join(commands.ALL))

    assert len(answers) == 6
    ran = answers[0]
    assert ran["result"] is True
    assert ran["errors"] == []
    assert isinstance(ran["taskid"], str)
    for answer in answers[1:]:
        assert answer["result"] is False
        assert answer["errors"] == [{"code": 1, "message": "There is no task yet."}]
        assert (answer["total"], answer["tasklist"]) == ("0", [])


def test_check_25_the_commands_find_the_tasks_that_exist(wire: Wire) -> None:
    def task_of(script: str) -> dict[str, Any]:
        (answer,) = bash(wire.url, prepared(wire.caller.key, wire.caller.secret) + script)
        assert answer["result"] is True, answer
        return dict(answer["tasklist"][0])

    (first,) = bash(wire.url, prepared(wire.caller.key, wire.caller.secret) + commands.RUN)
    (second,) = bash(wire.url, prepared(wire.caller.key, wire.caller.secret) + commands.RUN)
    third = wire.run()

    assert task_of(commands.DETAIL_BY_ID.replace("2221", first["taskid"]))["id"] == first["taskid"]
    by_token = commands.DETAIL_BY_TOKEN.replace("eDcCm5yyUfIvMFspTwww49OUfgXkQt", first["socketaccesstoken"])
    assert task_of(by_token)["id"] == first["taskid"]
    assert task_of(commands.KILL_BY_ID.replace("534574", first["taskid"]))["status"] == "task_cancel"
    by_token = commands.KILL_BY_TOKEN.replace("ZpYote30on42O4jjHXNiKmrWAZqbRE", second["socketaccesstoken"])
    assert task_of(by_token)["status"] == "task_cancel"
    assert task_of(commands.CANCEL_BY_ID.replace("634574", third["taskid"]))["status"] == "task_cancel"


def test_check_27_80_a_sentence_as_callback_url_is_kept_and_noted(wire: Wire) -> None:
    (ran,) = bash(wire.url, prepared(wire.caller.key, wire.caller.secret) + commands.RUN)

    task = wire.detail(ran)

    assert task["callbackurl"].startswith("You can provide a callback URL; Wiro will send")
    assert task["debugerror"] == "callbackUrl is not an absolute http(s) URL; no callback will be sent."
    assert "callbackUrl" not in task["parameters"]
    assert task["parameters"]["prompt"] == ""


@pytest.mark.parametrize("command", commands.ALL)
def test_check_26_pasted_as_one_line_the_commands_are_refused_at_once(wire: Wire, command: str) -> None:
    flat = commands.flattened(prepared(wire.caller.key, wire.caller.secret))

    (answer,) = bash(wire.url, flat + "\n" + commands.flattened(command))

    assert answer["errors"] == [NO_CREDENTIALS]


def test_everything_in_one_line_is_one_comment(wire: Wire) -> None:
    assert (
        bash(wire.url, commands.flattened(prepared(wire.caller.key, wire.caller.secret) + commands.RUN)) == []
    )


@pytest.mark.parametrize(
    "path", ["Run/black-forest-labs/flux-2-flex-t2i", "Task/Detail", "Task/Kill", "Task/Cancel"]
)
def test_check_26_a_bare_post_is_refused_at_once(wire: Wire, path: str) -> None:
    (answer,) = bash(wire.url, f'curl -m 2 -X POST "https://api.wiro.ai/v1/{path}"')

    assert answer["errors"] == [NO_CREDENTIALS]


def test_the_page_s_placeholders_are_an_unknown_key(wire: Wire) -> None:
    answers = bash(wire.url, commands.PREPARE + "".join(commands.ALL))

    assert [answer["errors"][0]["message"] for answer in answers] == [
        "Project authorization is not founded."
    ] * 6


def test_other_openssl_forms_of_the_signature_work(wire: Wire) -> None:
    for form in ('openssl dgst -sha256 -r -hmac "${YOUR_API_KEY}"', 'openssl sha256 -hmac "${YOUR_API_KEY}"'):
        script = prepared(wire.caller.key, wire.caller.secret).replace(
            'openssl dgst -sha256 -hmac "${YOUR_API_KEY}"', form
        )
        assert form in script
        assert bash(wire.url, script + commands.RUN)[0]["result"] is True
