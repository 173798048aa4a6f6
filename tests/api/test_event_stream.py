"""A Run's frames as server-sent events: the same as over the WebSocket."""

import json
from pathlib import Path

import httpx2
import pytest

from api.events import SYNC, reading
from api.listener import assert_in_order, listening
from api.played import Played
from api.raw import line_to, request
from api.wire import Wire, start_wire
from serving import Server, until
from tintype.api import event_stream, frames
from tintype.domain.lifecycle import Status
from tintype_client.credentials import Credentials

END = "task_postprocess_end"


def played_of(wire: Wire, first: dict[str, str]) -> Played:
    """The task that the first event of a stream tells of."""
    return Played(wire, {"taskid": first["id"], "socketaccesstoken": first["tasktoken"]})


def test_the_events_of_a_real_run_lead_to_its_picture(plain_server: Server) -> None:
    headers = {
        **Credentials(key=plain_server.key, secret=plain_server.secret).headers(),
        "accept": "text/event-stream",
    }
    with httpx2.stream(
        "POST", plain_server.url + SYNC, json={"prompt": "x", "width": 64}, headers=headers, timeout=30
    ) as response:
        lines = list(response.iter_lines())

    events = [line.removeprefix("event: ") for line in lines if line.startswith("event: ")]
    last = json.loads([line for line in lines if line.startswith("data: ")][-1].removeprefix("data: "))
    assert events[-1] == last["type"] == END
    assert (last["success"], last["message"][0]["contenttype"]) == (True, "image/png")


def test_events_are_the_frames_of_the_socket(wire: Wire) -> None:
    with reading(wire) as reader:
        first = reader.next()
        played = played_of(wire, first.data)
        with listening(wire.url, played.token) as listener:
            listener.next()
            played.claim()
            played.reach(Status.START)
            for step in range(1, 4):
                played.draw(step)
            played.fail()
            heard = listener.through(END)
        told = list(reader)

    assert reader.response.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert reader.response.headers["cache-control"] == "no-store"
    assert reader.response.headers["access-control-allow-origin"] == "*"
    assert first.type == "task_queue"
    assert [event.data for event in told] == heard
    assert_in_order([event.data for event in told])
    for event in told:
        assert (event.type, event.id) == (event.data["type"], event.data["seq"])


def test_a_repeated_run_goes_on_after_the_last_event_that_was_seen(wire: Wire) -> None:
    key = {"idempotency-key": "again"}
    with reading(wire, **key) as reader:
        played = played_of(wire, reader.next().data)
        played.claim()
        accepted = reader.next()
        played.reach(Status.START)
        reader.next()

    played.draw(1)
    played.draw(2)
    with reading(wire, **key, **{"last-event-id": str(accepted.id)}) as reader:
        missed = [reader.next().type for _ in range(3)]
        played.fail()
        rest = [event.type for event in reader]
    with reading(wire, **key, **{"last-event-id": "999999999"}) as reader:
        end = [event.type for event in reader]

    assert missed == ["task_start", "task_output", "task_output"]
    assert rest == [END]
    assert end == [END]


def test_silence_is_filled_with_comments(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream, "HEARTBEAT", 0.05)
    with reading(wire) as reader:
        played = played_of(wire, reader.next().data)
        reader.hear_comments(2)
        played.claim()
        played.fail()

        assert [event.type for event in reader][-1] == END


def test_a_stream_ends_after_the_longest_wait_and_the_task_goes_on(tmp_path: Path) -> None:
    with start_wire(tmp_path, longest_wait=0.2) as wire:
        with reading(wire) as reader:
            events = list(reader)

        assert [event.type for event in events] == ["task_queue"]
        assert wire.detail({"taskid": events[0].data["id"]})["status"] == "task_queue"


def test_a_stream_ends_when_the_process_stops(tmp_path: Path) -> None:
    with start_wire(tmp_path) as wire, reading(wire) as reader:
        assert reader.next().type == "task_queue"

        wire.stop_waiting()

        assert list(reader) == []


def test_a_slow_reader_costs_no_memory_and_still_hears_the_end(
    wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    inboxes: list[frames.Inbox] = []

    class Watched(frames.Inbox):
        def __init__(self) -> None:
            super().__init__()
            inboxes.append(self)

    monkeypatch.setattr(event_stream, "Inbox", Watched)
    body = json.dumps({"prompt": "x"}).encode()
    headers = {**wire.caller.headers(), "Accept": "text/event-stream", "Idempotency-Key": "slow"}
    with line_to(wire, patience=20) as line:
        line.send(request(SYNC, headers, body))
        ran = wire.post(
            SYNC.removesuffix("/sync"), {"prompt": "x"}, headers={"idempotency-key": "slow"}
        ).json()
        played = Played(wire, ran)
        until(lambda: inboxes, within=10, what="the stream")
        played.claim()
        played.reach(Status.START)
        for _ in range(30):
            played.note()
            played.draw_in_a_hurry(times=900)
        assert len(inboxes[0]) <= frames.ROOM
        played.fail()

        text = bytearray()
        while b"event: task_postprocess_end" not in text[-8192:]:
            chunk = line.connection.recv(4096)
            assert chunk, "the stream ended without the end of the task"
            text += chunk

    assert text.count(b"event: task_output") < 27_000
