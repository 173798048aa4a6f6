"""How tasks are asked for, and what every answer about one looks like."""

import re
from typing import Any

from api.wire import Caller, Wire

DETAIL, LIST, CANCEL, KILL = (f"/v1/Task/{name}" for name in ("Detail", "List", "Cancel", "Kill"))
DELETE = "/v1/Task/InputOutputDelete"
NO_TASK = {
    "total": "0",
    "errors": [{"code": 1, "message": "There is no task yet."}],
    "tasklist": [],
    "result": False,
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
    *TIMES,
}
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
