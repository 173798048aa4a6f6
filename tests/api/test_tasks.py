"""Sections 6 to 11: tasks as callers see them."""

import re
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from api.wire import PUBLIC_URL, Caller, Wire
from tintype.domain.lifecycle import STAGES, Status

DETAIL, LIST, CANCEL, KILL = (f"/v1/Task/{name}" for name in ("Detail", "List", "Cancel", "Kill"))
DELETE = "/v1/Task/InputOutputDelete"
NO_TASK = {
    "total": "0",
    "errors": [{"code": 1, "message": "There is no task yet."}],
    "tasklist": [],
    "result": False,
}
FIELDS = {
    "id",
    "uuid",
    "name",
    "description",
    "modelfolderid",
    "modelfileid",
    "socketaccesstoken",
    "parameters",
    "debugoutput",
    "debugerror",
    "status",
    "pexit",
    "createtime",
    "accepttime",
    "preprocessstarttime",
    "preprocessendtime",
    "assigntime",
    "starttime",
    "endtime",
    "postprocessstarttime",
    "postprocessendtime",
    "canceltime",
    "elapsedseconds",
    "cps",
    "totalcost",
    "guestid",
    "marketplaceid",
    "projectid",
    "modelid",
    "basemodelid",
    "runtype",
    "callbackurl",
    "categories",
    "outputs",
    "size",
    "modelslugowner",
    "modelslugproject",
    "modeldescription",
    "outputfolderid",
}
TIMES = (
    "createtime",
    "accepttime",
    "preprocessstarttime",
    "preprocessendtime",
    "assigntime",
    "starttime",
    "endtime",
    "postprocessstarttime",
    "postprocessendtime",
)
ALIASES = (
    "taskid",
    "taskid as a number",
    "tasktoken",
    "socketaccesstoken",
    "the id as tasktoken",
    "the id as text",
)


def named(ran: dict[str, Any], alias: str) -> dict[str, Any]:
    return {
        "taskid": {"taskid": ran["taskid"]},
        "taskid as a number": {"taskid": int(ran["taskid"])},
        "tasktoken": {"tasktoken": ran["socketaccesstoken"]},
        "socketaccesstoken": {"socketaccesstoken": ran["socketaccesstoken"], "uuid": "ignored"},
        "the id as tasktoken": {"tasktoken": int(ran["taskid"])},
        "the id as text": {"tasktoken": ran["taskid"]},
    }[alias]


def error(wire: Wire, path: str, body: dict[str, Any], caller: Caller | None = None) -> tuple[int, str]:
    response = wire.post(path, body, caller=caller)
    answer = response.json()
    assert (response.status_code, answer["result"], len(answer["errors"])) == (200, False, 1)
    assert (answer["total"], answer["tasklist"]) == ("0", [])
    return answer["errors"][0]["code"], answer["errors"][0]["message"]


def assert_well_formed(task: dict[str, Any]) -> None:
    """What holds of every task in every state."""
    assert task.keys() == FIELDS
    for name, value in task.items():
        if name not in ("parameters", "guestid", "marketplaceid", "outputs"):
            assert isinstance(value, str), name
    for name in (*TIMES, "canceltime", "size"):
        assert re.fullmatch(r"\d+", task[name]), name
    assert isinstance(task["parameters"], dict)
    assert re.fullmatch(r"\d+\.\d{4}", task["elapsedseconds"])
    assert task["cps"] == "0.000585000000"
    reached = [int(task[name]) for name in TIMES if task[name] != "0"]
    assert reached == sorted(reached)


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


@pytest.mark.parametrize("alias", ALIASES)
def test_check_48_88_89_cancelling_a_queued_task_by_any_alias(wire: Wire, alias: str) -> None:
    ran = wire.run()

    first = wire.post(CANCEL, named(ran, alias)).json()

    assert first["result"] is True
    task = first["tasklist"][0]
    assert_well_formed(task)
    assert (task["status"], task["pexit"], task["totalcost"]) == ("task_cancel", "", "0")
    assert (task["outputs"], task["endtime"]) == ([], "0")
    assert task["canceltime"] != "0"
    for path in (CANCEL, KILL, DETAIL):
        assert wire.post(path, named(ran, alias)).json() == first


def test_check_49_a_running_task_is_not_cancelled(wire: Wire) -> None:
    ran = wire.run()
    wire.advance(ran)

    assert error(wire, CANCEL, ran) == (1, "Task is not in a cancellable state.")
    assert wire.detail(ran)["status"] == "task_output"


@pytest.mark.parametrize("alias", ALIASES)
def test_check_50_88_89_killing_a_running_task_by_any_alias(wire: Wire, alias: str) -> None:
    ran = wire.run()
    wire.advance(ran)

    answer = wire.post(KILL, named(ran, alias)).json()

    assert answer["result"] is True
    task = answer["tasklist"][0]
    assert_well_formed(task)
    assert (task["status"], task["pexit"], task["totalcost"]) == ("task_cancel", "", "0")
    assert task["outputs"] == []
    assert task["canceltime"] == task["endtime"] != "0"
    assert wire.post(KILL, ran).json() == wire.post(CANCEL, ran).json() == answer


def test_check_88_a_queued_task_may_be_killed_and_a_finished_one_not(wire: Wire) -> None:
    queued, finished = wire.run(), wire.run()
    assert wire.post(KILL, queued).json()["tasklist"][0]["status"] == "task_cancel"
    wire.finish(finished)

    code, message = error(wire, KILL, finished)

    assert code == 1
    assert re.fullmatch(r"Task could not be killed: .+", message)
    assert error(wire, CANCEL, finished) == (1, "Task is not in a cancellable state.")


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


@pytest.fixture(scope="module")
def owner(wire: Wire) -> Caller:
    """A project with five tasks."""
    owner = wire.project()
    for number in range(5):
        wire.run(f"number {number}", caller=owner)
    return owner


class TestList:
    def prompts(self, wire: Wire, owner: Caller, **body: Any) -> list[str]:
        answer = wire.post(LIST, body, caller=owner).json()
        assert (answer["total"], answer["errors"], answer["result"]) == ("5", [], True)
        return [task["parameters"]["prompt"].removeprefix("number ") for task in answer["tasklist"]]

    def test_check_51_the_newest_come_first(self, wire: Wire, owner: Caller) -> None:
        asked = {"type": "model", "sort": "id", "order": "DESC", "start": "0", "limit": "2"}

        assert self.prompts(wire, owner, **asked) == ["4", "3"]
        assert self.prompts(wire, owner) == ["4", "3", "2", "1", "0"]

    def test_pages_may_be_asked_for_in_numbers_or_text(self, wire: Wire, owner: Caller) -> None:
        assert self.prompts(wire, owner, start=1, limit=2, order="ASC") == ["1", "2"]
        assert self.prompts(wire, owner, start="1", limit="2", order="asc") == ["1", "2"]
        assert self.prompts(wire, owner, start="5") == self.prompts(wire, owner, start=10**30) == []

    @pytest.mark.parametrize(
        "odd",
        [
            {"start": "x", "limit": "y", "sort": "rank", "order": "sideways", "type": "pony"},
            {"start": -1, "limit": 1000, "sort": 5, "order": "", "type": None},
            {"start": None, "limit": "", "sort": ""},
            {"start": "1e999", "limit": "nan"},
            {"start": 0, "limit": [1]},
        ],
    )
    def test_odd_values_fall_back(self, wire: Wire, owner: Caller, odd: dict[str, Any]) -> None:
        assert self.prompts(wire, owner, **odd) == ["4", "3", "2", "1", "0"]

    def test_a_limit_is_at_least_one(self, wire: Wire, owner: Caller) -> None:
        assert self.prompts(wire, owner, limit=0) == self.prompts(wire, owner, limit=-5) == ["4"]

    def test_check_52_part_of_the_model_s_name_filters(self, wire: Wire, owner: Caller) -> None:
        for part in ("flux", "FLEX-T2I", "Forest Labs", "black-forest-labs/flux", ""):
            assert len(self.prompts(wire, owner, modelName=part)) == 5
        for part in ("nothing", "%", "_", "\u0000", "' OR 1=1"):
            answer = wire.post(LIST, {"modelName": part}, caller=owner).json()
            assert (answer["total"], answer["tasklist"], answer["result"]) == ("0", [], True)

    def test_a_page_stays_below_sixteen_mebibytes(self, wire: Wire) -> None:
        owner = wire.project()
        for _ in range(4):
            wire.run("x" * 5_000_000, caller=owner)

        answer = wire.post(LIST, caller=owner)

        assert len(answer.content) < 2**24
        assert (answer.json()["total"], len(answer.json()["tasklist"])) == ("4", 3)


class TestDeletingFiles:
    def test_check_53_the_files_of_a_finished_task_are_deleted_twice(self, wire: Wire) -> None:
        ran = wire.run()
        url = wire.finish(ran)["outputs"][0]["url"].removeprefix(PUBLIC_URL)
        assert wire.http.get(url).status_code == 200

        answers = [wire.post(DELETE, ran).json() for _ in range(2)]

        assert answers == [{"result": True, "errors": []}] * 2
        assert wire.http.get(url).status_code == 404
        task = wire.detail(ran)
        assert_well_formed(task)
        assert (task["outputs"], task["outputfolderid"], task["size"]) == ([], "0", "0")
        assert (task["status"], task["pexit"]) == ("task_postprocess_end", "0")
        assert task["parameters"] == {"prompt": "a red kite"}

    def test_check_54_a_task_that_has_not_ended_keeps_its_files(self, wire: Wire) -> None:
        ran = wire.run()
        message = "Task must be completed or cancelled before deleting files"

        assert error(wire, DELETE, ran) == (0, message)
        wire.advance(ran)
        assert error(wire, DELETE, ran) == (0, message)

    @pytest.mark.parametrize("alias", ALIASES)
    def test_a_cancelled_task_has_nothing_to_delete(self, wire: Wire, alias: str) -> None:
        ran = wire.run()
        wire.post(KILL, ran)

        assert wire.post(DELETE, named(ran, alias)).json() == {"result": True, "errors": []}
