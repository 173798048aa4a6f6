"""Cancelling and killing tasks."""

import re

import pytest

from api.shown import ALIASES, CANCEL, DETAIL, KILL, assert_well_formed, error, named
from api.wire import Wire


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
