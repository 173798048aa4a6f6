"""Sections 6 to 11: tasks as callers see them."""

import re
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from api.shown import ALIASES, CANCEL, DELETE, DETAIL, KILL, LIST, NO_TASK, assert_well_formed, error, named
from api.wire import PUBLIC_URL, Caller, Wire
from tintype.domain.lifecycle import STAGES, Status


@pytest.mark.parametrize("alias", ALIASES)
def test_check_37_39_40_a_task_answers_to_every_alias(wire: Wire, alias: str) -> None:
    ran = wire.run()

    answer = wire.post(DETAIL, named(ran, alias)).json()

    assert (answer["total"], answer["errors"], answer["result"]) == ("1", [], True)
    assert [task["id"] for task in answer["tasklist"]] == [ran["taskid"]]


def test_check_38_the_token_counts_before_the_id(wire: Wire) -> None:
    one, other = wire.run(), wire.run()

    both = {"taskid": one["taskid"], "tasktoken": one["socketaccesstoken"]}
    mixed = {"taskid": one["taskid"], "tasktoken": other["socketaccesstoken"]}

    assert wire.post(DETAIL, both).json()["tasklist"][0]["id"] == one["taskid"]
    assert wire.post(DETAIL, mixed).json()["tasklist"][0]["id"] == other["taskid"]


@pytest.mark.parametrize(
    "name",
    [
        {"taskid": "999999"},
        {"taskid": 999999},
        {"taskid": 0},
        {"taskid": -1},
        {"taskid": "9" * 400},
        {"taskid": 2**63},
        {"taskid": 10**400},
        {"taskid": 1.5},
        {"taskid": True},
        {"taskid": "²"},
        {"taskid": "1 OR 1=1"},
        {"tasktoken": "test"},
        {"tasktoken": "\u0000"},
        {"tasktoken": "ü" * 30},
        {"tasktoken": "x" * 60_000},
        {"socketaccesstoken": "eDcCm5yyUfIvMFspTwww49OUfgXkQt"},
    ],
)
def test_check_15_41_an_unknown_task_is_http_200_and_an_empty_list(wire: Wire, name: dict[str, Any]) -> None:
    for path in (DETAIL, CANCEL, KILL):
        response = wire.post(path, name)
        assert (response.status_code, response.json()) == (200, NO_TASK)
    assert error(wire, DELETE, name) == (1, "task-not-exist")


@pytest.mark.parametrize("name", [{}, {"taskid": ""}, {"taskid": None, "tasktoken": " "}, {"uuid": "x"}])
def test_check_42_without_a_name_there_is_no_task(wire: Wire, name: dict[str, Any]) -> None:
    for path in (DETAIL, CANCEL, KILL, DELETE):
        assert error(wire, path, name) == (0, "taskid or socketaccesstoken is required")


@pytest.mark.parametrize("name", [{"taskid": []}, {"tasktoken": {}}, {"taskid": ["1", "2"]}])
def test_a_name_is_one_value(wire: Wire, name: dict[str, Any]) -> None:
    assert error(wire, DETAIL, name) == (0, "Request parameters are invalid.")


def test_check_43_56_every_state_shows_the_same_fields(wire: Wire) -> None:
    ran = wire.run()
    seen = [wire.detail(ran)]
    task = wire.claim(ran)
    for status in STAGES[2:-1]:
        wire.step(task, status)
        seen.append(wire.detail(ran))

    for state in seen:
        assert_well_formed(state)
        assert (state["pexit"], state["totalcost"], state["canceltime"]) == ("", "0", "0")
        assert (state["outputs"], state["outputfolderid"], state["size"]) == ([], "0", "0")
    statuses = [Status(state["status"]) for state in seen]
    assert all(earlier.may_become(later) or earlier is Status.QUEUE for earlier, later in pairwise(statuses))


def test_check_43_all_endpoints_show_the_same_task(wire: Wire) -> None:
    mine = wire.project()
    ran = wire.run(caller=mine)

    cancelled = wire.post(CANCEL, ran, caller=mine).json()
    shown = [
        wire.post(DETAIL, ran, caller=mine).json(),
        wire.post(KILL, ran, caller=mine).json(),
        wire.post(LIST, {}, caller=mine).json(),
    ]

    assert shown == [cancelled] * 3
    assert cancelled.keys() == {"total", "errors", "tasklist", "result"}


def test_check_44_46_47_a_finished_task(wire: Wire) -> None:
    task = wire.finish(wire.run(), pictures=2)

    assert_well_formed(task)
    assert (task["status"], task["pexit"], task["canceltime"]) == ("task_postprocess_end", "0", "0")
    assert abs(Decimal(task["elapsedseconds"]) - (int(task["endtime"]) - int(task["accepttime"]))) < 1
    exact = Decimal(task["elapsedseconds"]) * Decimal(task["cps"])
    assert task["totalcost"] == str(exact.quantize(Decimal("0.000000000001")))
    assert [output["name"] for output in task["outputs"]] == ["0.png", "1.png"]
    assert task["size"] == str(sum(int(output["size"]) for output in task["outputs"]))
    for output in task["outputs"]:
        assert output["contenttype"] == "image/png"
        assert output["parentid"] == task["outputfolderid"]
        assert output["uuid"] == task["uuid"]
        assert (output["ispublic"], output["expiretime"]) == (0, None)
        assert (output["foldercount"], output["filecount"]) == ("0", "0")
        assert re.fullmatch(r"[0-9a-f]{32}", output["id"])
        assert re.fullmatch(r"[0-9a-f]{32}", output["parentid"])
        assert re.fullmatch(r"[A-Za-z0-9]{30}", output["accesskey"])
        assert re.fullmatch(r"\d+", output["size"])
        assert re.fullmatch(r"\d+", output["addedtime"])
        assert output["url"] == f"{PUBLIC_URL}/v1/File/{output['accesskey']}/{output['name']}"


def test_check_45_a_failed_task(wire: Wire) -> None:
    task = wire.fail(wire.run(), "The engine broke.")

    assert_well_formed(task)
    assert (task["status"], task["pexit"], task["totalcost"]) == ("task_postprocess_end", "1", "0")
    assert (task["outputs"], task["debugerror"]) == ([], "The engine broke.")


def test_check_55_categories_are_text_that_parses(wire: Wire) -> None:
    import json

    assert json.loads(wire.detail(wire.run())["categories"]) == [
        "tool",
        "bfl",
        "text-to-image",
        "partner",
        "flux-2-flex",
    ]


def test_a_task_names_its_model_and_its_project(wire: Wire) -> None:
    task = wire.detail(wire.run())

    assert (task["modelid"], task["basemodelid"], task["runtype"]) == ("598", "0", "model")
    assert (task["modelslugowner"], task["modelslugproject"]) == ("black-forest-labs", "flux-2-flex-t2i")
    assert task["projectid"] == str(wire.caller.project.id)
    assert task["uuid"] == wire.caller.project.account.uuid


def test_check_90_another_project_s_task_is_an_unknown_task(wire: Wire, stranger: Caller) -> None:
    sibling = wire.project(of=wire.caller)
    queued, finished = wire.run(), wire.run()
    wire.finish(finished)

    for other in (stranger, sibling):
        for ran in (queued, finished):
            for path in (DETAIL, CANCEL, KILL):
                assert wire.post(path, ran, caller=other).json() == NO_TASK
            assert error(wire, DELETE, ran, other) == (1, "task-not-exist")
        assert all(
            task["id"] != queued["taskid"] for task in wire.post(LIST, caller=other).json()["tasklist"]
        )
    assert wire.detail(queued)["status"] == "task_queue"
