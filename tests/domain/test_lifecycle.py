"""The life of a task: one table of moves."""

from itertools import pairwise

from tintype.domain.lifecycle import CANCELLABLE, KILLABLE, LEASED, STAGES, TERMINAL, Status


def test_the_statuses_stand_in_the_order_of_the_protocol() -> None:
    assert [status.value for status in STAGES] == [
        "task_queue",
        "task_accept",
        "task_preprocess_start",
        "task_preprocess_end",
        "task_assign",
        "task_start",
        "task_output",
        "task_end",
        "task_postprocess_start",
        "task_postprocess_end",
    ]


def test_check_56_a_status_never_goes_back_but_to_the_queue() -> None:
    for earlier, later in pairwise(STAGES):
        assert earlier.may_become(later) or earlier is Status.QUEUE
        assert not later.may_become(earlier) or earlier is Status.QUEUE


def test_only_two_statuses_are_terminal_and_nothing_follows_them() -> None:
    assert {Status.POSTPROCESS_END, Status.CANCEL} == TERMINAL
    assert not any(status.may_become(next_status) for status in TERMINAL for next_status in Status)


def test_whatever_is_not_over_may_be_killed_and_only_the_queue_cancelled() -> None:
    assert frozenset(Status) - TERMINAL == KILLABLE
    assert frozenset({Status.QUEUE}) == CANCELLABLE
    assert all(status.may_become(Status.CANCEL) for status in KILLABLE)


def test_whoever_holds_a_lease_may_hand_the_task_back() -> None:
    assert all(status.may_become(Status.QUEUE) for status in LEASED)


def test_check_56_no_status_is_task_error() -> None:
    assert "task_error" not in set(Status)
