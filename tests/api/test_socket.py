"""The WebSocket, with a worker that the tests play by hand."""

import time

from api.listener import assert_in_order, listening, types
from api.played import Played
from api.wire import Wire
from tintype.domain.events import status_event
from tintype.domain.lifecycle import Status
from tintype.worker.story import tell

KILL = "/v1/Task/Kill"
TOKEN = "socketaccesstoken"


def test_check_94_the_current_state_comes_at_once_and_then_what_happens(wire: Wire, played: Played) -> None:
    with listening(wire.url, played.token) as listener:
        queued = listener.next(within=1)
        played.claim()
        accepted = listener.next(within=1)

    common = {"id": played.ran["taskid"], "tasktoken": played.token, "message": None, "result": True}
    common |= {"success": None, "terminal": False, "exitCode": None}
    assert queued == {**common, "type": "task_queue", "seq": queued["seq"]}
    assert accepted == {**common, "type": "task_accept", "seq": accepted["seq"]}
    assert queued["seq"] < accepted["seq"]


def test_check_71_75_an_ended_task_shows_its_end_at_once_and_the_server_closes(wire: Wire) -> None:
    ran = wire.run()
    outputs = wire.finish(ran, pictures=2)["outputs"]
    with listening(wire.url, ran[TOKEN]) as listener:
        frame = listener.next(within=1)
        ended = time.monotonic()

        code = listener.close_code()

    assert (frame["type"], frame["message"]) == ("task_postprocess_end", outputs)
    assert (frame["success"], frame["terminal"], frame["exitCode"]) == (True, True, 0)
    assert code == 1000
    assert 0.05 <= time.monotonic() - ended < 1


def test_an_end_shows_only_the_outputs_that_are_left(wire: Wire, played: Played) -> None:
    with listening(wire.url, played.token) as listener:
        assert listener.next()["type"] == "task_queue"
        wire.finish(played.ran)
        assert listener.through("task_postprocess_end")[-1]["message"] != []
    wire.post("/v1/Task/InputOutputDelete", played.ran)

    with listening(wire.url) as listener:
        listener.register(played.token, lastseq=0)
        frames = listener.through("task_postprocess_end")

    assert frames[0]["type"] == "task_queue"
    assert frames[-1]["message"] == []
    assert_in_order(frames)


def test_check_76_every_socket_gets_all_frames_of_all_its_tasks(wire: Wire) -> None:
    first, second = Played(wire), Played(wire)
    with (
        listening(wire.url, first.token) as one,
        listening(wire.url, first.token, second.token) as both,
        listening(wire.url, first.token) as other,
    ):
        for listener, tokens in ((one, 1), (both, 2), (other, 1)):
            assert types([listener.next() for _ in range(tokens)]) == ["task_queue"] * tokens

        for task in (first, second):
            task.claim()
            task.reach(Status.ASSIGN, Status.START, Status.OUTPUT)
            task.draw(1)
            task.fail()

        heard = [one.through("task_postprocess_end"), other.through("task_postprocess_end")]
        heard_by_both = both.through("task_postprocess_end") + both.through("task_postprocess_end")
        assert heard[0] == heard[1] == [f for f in heard_by_both if f["tasktoken"] == first.token]
        assert_in_order(heard[0])
        assert types(heard[0])[:3] == ["task_accept", "task_assign", "task_start"]
        assert types(heard[0])[-2:] == ["task_output", "task_postprocess_end"]
        assert {frame["tasktoken"] for frame in heard_by_both} == {first.token, second.token}
        assert [listener.close_code() for listener in (one, both, other)] == [1000] * 3


def test_check_94_whoever_comes_back_gets_what_was_missed(wire: Wire, played: Played) -> None:
    with listening(wire.url, played.token) as listener:
        listener.next()
        played.claim()
        played.reach(Status.START, Status.OUTPUT)
        played.draw(1)
        last = listener.through("task_output")[-1]["seq"]
    for step in range(2, 7):
        played.draw(step)

    with listening(wire.url) as listener:
        listener.register(played.token, lastseq=last)

        missed = [listener.next() for _ in range(5)]

        assert [frame["message"]["stepCurrent"] for frame in missed] == ["2", "3", "4", "5", "6"]
        assert_in_order(missed)
        listener.register(played.token, lastseq=str(missed[3]["seq"]))
        assert listener.next() == missed[4]
        for nothing_newer in (missed[4]["seq"], 2**80, None, "x", [1], True):
            listener.register(played.token, lastseq=nothing_newer)
            assert listener.next() == missed[4]
        assert listener.hears_nothing()


def test_check_94_numbers_do_not_step_back_for_who_comes_from_another_process(
    wire: Wire, played: Played
) -> None:
    played.claim()
    played.reach(Status.START, Status.OUTPUT)
    state = played.task.sequence * 1000
    with listening(wire.url) as listener:
        listener.register(played.token, lastseq=state + 3)  # told where this process did not hear it

        again = listener.next(within=1)
        for step in range(1, 6):
            played.draw(step)
        told = [listener.next(), listener.next()]

        assert (again["type"], again["seq"]) == ("task_output", state + 3)
        assert [frame["seq"] for frame in told] == [state + 4, state + 5]
        listener.register(played.token, lastseq=state + 900)
        assert listener.next()["seq"] == state + 900
        played.note()
        played.draw(6)
        assert_in_order([again, *told, listener.next()])


def test_an_end_is_always_told_whatever_the_client_has_seen(wire: Wire) -> None:
    ran = wire.run()
    wire.fail(ran)
    with listening(wire.url) as listener:
        listener.register(ran[TOKEN], lastseq=2**62)

        frame = listener.next(within=1)

    assert (frame["type"], frame["message"]) == ("task_postprocess_end", [])
    assert (frame["success"], frame["terminal"], frame["exitCode"]) == (False, True, 1)


def test_whoever_comes_in_the_midst_of_a_drawing_hears_of_progress(wire: Wire, played: Played) -> None:
    played.claim()
    played.reach(Status.START, Status.OUTPUT)
    with listening(wire.url, played.token) as listener:
        first = listener.next(within=1)
        played.draw(25)
        second = listener.next()

    assert types([first, second]) == ["task_output"] * 2
    assert_in_order([first, second])
    for frame in (first, second):
        assert all(isinstance(value, str) for value in frame["message"].values())
    assert [float(frame["message"]["percentage"]) for frame in (first, second)] == [0, 50]


def test_a_killed_task_is_told_of_to_all(wire: Wire, played: Played) -> None:
    with listening(wire.url, played.token) as listener:
        listener.next()
        played.claim()
        listener.next()
        wire.post(KILL, played.ran)

        frame = listener.next(within=1)

        assert (frame["type"], frame["message"]) == ("task_cancel", None)
        assert (frame["success"], frame["terminal"], frame["exitCode"]) == (False, True, None)
        assert listener.close_code() == 1000


def test_a_task_that_is_handed_back_is_queued_again(wire: Wire, played: Played) -> None:
    with listening(wire.url, played.token) as listener:
        played.claim()
        played.reach(Status.START)
        played.hand_back()

        frames = [*listener.through("task_start"), listener.next()]

        assert frames[-1]["type"] == "task_queue"
        assert_in_order(frames)
    wire.post(KILL, played.ran)


def test_an_end_that_the_bus_has_lost_is_found(wire: Wire, played: Played) -> None:
    with listening(wire.url, played.token) as listener:
        listener.next()
        played.claim()
        played.fail(told=False)

        assert listener.through("task_postprocess_end", within=6)[-1]["terminal"] is True
        assert listener.close_code() == 1000


def test_an_old_event_is_not_told(wire: Wire, played: Played) -> None:
    with listening(wire.url, played.token) as listener:
        played.claim()
        played.reach(Status.START, Status.OUTPUT)
        before = status_event(played.task)
        played.draw(1)
        listener.through("task_output")

        wire.do(tell(wire.service.bus, before))

        assert listener.hears_nothing()
