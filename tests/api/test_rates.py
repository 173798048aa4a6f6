"""How often a project may Run: permits, refusals, and the fields that tell how it stands."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import http_sf
import httpx2
import pytest

from api.raw import line_to, request
from api.wire import RUN, Caller, Wire, start_wire
from tintype.domain.project import Auth
from tintype.domain.rate import Limited, read_rate
from tintype.storage import guards

DETAIL = "/v1/Task/Detail"
BODY = {"prompt": "a red kite"}


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wire]:
    """A server on which every project may Run three times at once, and then once an hour."""
    rates = {Limited.RUN: read_rate("1/h burst 3"), Limited.UPLOAD: read_rate("1/min burst 2")}
    with start_wire(tmp_path_factory.mktemp("limited"), rates=rates) as wire:
        yield wire


def with_rate(wire: Wire, rate: str, auth: Auth = Auth.KEY) -> Caller:
    """A new project with a rate of its own."""
    caller = wire.project(auth=auth)
    wire.write(lambda c: guards.guard_project(c, caller.project, rates={Limited.RUN: rate}))
    return caller


def ran(wire: Wire, caller: Caller, body: Any = None) -> httpx2.Response:
    return wire.post(RUN, BODY if body is None else body, caller=caller)


def told(response: httpx2.Response, name: str) -> tuple[str, dict[str, Any]]:
    """The one item of a RateLimit field: its policy and its parameters."""
    ((policy, parameters),) = http_sf.parse(response.headers[name].encode(), tltype="list")
    return policy, parameters


def test_check_92_over_the_rate_run_is_refused_and_says_when_to_come_back(limited: Wire) -> None:
    caller = limited.project()
    statuses = [ran(limited, caller).status_code for _ in range(3)]

    refused = ran(limited, caller)

    assert statuses == [200, 200, 200]
    assert refused.status_code == 429
    assert refused.json() == {"errors": [{"code": 0, "message": "Too many requests."}], "result": False}
    assert refused.headers["content-type"] == "application/json; charset=utf-8"
    assert 3590 <= int(refused.headers["retry-after"]) <= 3600


def test_check_92_reading_cancelling_and_killing_are_never_refused(limited: Wire) -> None:
    caller = limited.project()
    first = ran(limited, caller).json()
    while ran(limited, caller).status_code != 429:
        pass

    for path in (DETAIL, "/v1/Task/List", "/v1/Task/Cancel", "/v1/Task/Kill", "/v1/Tool/List"):
        for _ in range(20):
            answer = limited.post(path, {"taskid": first["taskid"]}, caller=caller)
            assert answer.status_code == 200
            assert "ratelimit" not in answer.headers
    assert ran(limited, caller).status_code == 429


def uploaded(wire: Wire, caller: Caller, **options: Any) -> httpx2.Response:
    options = options or {"files": {"file": ("a.txt", b"text")}}
    return wire.http.post("/v1/File/Upload", headers=caller.headers(), **options)


def test_check_92_over_the_rate_an_upload_is_refused_and_run_is_not(limited: Wire) -> None:
    caller = limited.project()

    answers = [uploaded(limited, caller), uploaded(limited, caller, json={}), uploaded(limited, caller)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert [told(answer, "ratelimit")[1]["r"] for answer in answers] == [1, 0, 0]
    assert told(answers[0], "ratelimit-policy") == ("upload", {"q": 2, "w": 120})
    assert 1 <= int(answers[2].headers["retry-after"]) <= 60
    assert answers[2].json()["errors"] == [{"code": 0, "message": "Too many requests."}]
    assert ran(limited, caller).status_code == 200
    for _ in range(5):
        folder = limited.post("/v1/File/FolderCreate", {"name": "a"}, caller=caller)
        assert folder.status_code == 200


def test_every_answer_of_run_tells_how_the_project_stands(limited: Wire) -> None:
    caller = limited.project()

    answers = [ran(limited, caller), ran(limited, caller, {"width": "abc"}), ran(limited, caller)]
    answers.append(ran(limited, caller))

    assert [told(answer, "ratelimit")[1]["r"] for answer in answers] == [2, 1, 0, 0]
    for answer in answers:
        assert told(answer, "ratelimit-policy") == ("run", {"q": 3, "w": 3 * 3600})
        assert told(answer, "ratelimit")[0] == "run"
        assert "ratelimit" in answer.headers["access-control-expose-headers"]
    assert str(told(answers[-1], "ratelimit")[1]["t"]) == answers[-1].headers["retry-after"]


def test_permits_come_back_steadily(wire: Wire) -> None:
    caller = with_rate(wire, "4/s burst 1")
    assert ran(wire, caller).status_code == 200
    refused = ran(wire, caller)
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")

    time.sleep(0.3)

    assert ran(wire, caller).status_code == 200


def test_projects_do_not_share_permits(limited: Wire) -> None:
    stormy, calm = limited.project(), limited.project()

    for _ in range(4):
        last = ran(limited, stormy)

    assert last.status_code == 429
    assert ran(limited, calm).status_code == 200


def test_a_projects_own_rate_counts_more_than_the_servers(limited: Wire) -> None:
    free, single = with_rate(limited, "off"), with_rate(limited, "1/day")

    assert {ran(limited, free).status_code for _ in range(10)} == {200}
    assert [ran(limited, single).status_code for _ in range(2)] == [200, 429]
    assert "ratelimit" not in ran(limited, free).headers


def test_a_wider_rate_counts_at_once(limited: Wire) -> None:
    caller = with_rate(limited, "1/day")
    assert [ran(limited, caller).status_code for _ in range(2)] == [200, 429]

    limited.write(lambda c: guards.guard_project(c, caller.project, rates={Limited.RUN: "100/s"}))
    time.sleep(0.6)  # a project is remembered for half a second

    assert ran(limited, caller).status_code == 200


def test_of_many_at_once_as_many_pass_as_there_are_permits(wire: Wire) -> None:
    caller = with_rate(wire, "1/day burst 7")

    with ThreadPoolExecutor(30) as pool:
        statuses = list(pool.map(lambda _: ran(wire, caller).status_code, range(30)))

    assert sorted(statuses) == [200] * 7 + [429] * 23


def test_a_storm_is_refused_without_asking_the_store(wire: Wire) -> None:
    caller = with_rate(wire, "1/day")
    while ran(wire, caller).status_code != 429:
        pass
    before = wire.service.database.commits  # type: ignore[attr-defined]

    for _ in range(50):
        assert ran(wire, caller).status_code == 429

    assert wire.service.database.commits == before  # type: ignore[attr-defined]


def test_who_may_not_ask_is_told_so_first_and_spends_no_permit(limited: Wire) -> None:
    caller = limited.project(auth=Auth.SIGNATURE)
    for _ in range(10):
        wrong = limited.http.post(RUN, json=BODY, headers=caller.headers() | {"x-nonce": "0"})
        assert wrong.status_code == 401

    assert told(ran(limited, caller), "ratelimit")[1]["r"] == 2


def test_over_the_rate_a_large_body_is_not_read(limited: Wire) -> None:
    caller = with_rate(limited, "1/day")
    while ran(limited, caller).status_code != 429:
        pass
    headers = {**caller.headers(), "Expect": "100-continue", "Content-Length": "10000000"}

    with line_to(limited, patience=5) as line:
        line.send(request(RUN, headers))

        assert line.receive().status == 429


def test_without_a_rate_nothing_is_told(wire: Wire) -> None:
    answer = wire.post(RUN, BODY)

    assert answer.status_code == 200
    assert not {"ratelimit", "ratelimit-policy", "retry-after"} & set(answer.headers)


def test_a_run_that_waits_takes_a_permit_like_any(limited: Wire) -> None:
    caller = with_rate(limited, "1/day")
    limited.post(RUN, BODY, caller=caller)

    refused = limited.post(f"{RUN}/sync", BODY, caller=caller)

    assert refused.status_code == 429
    assert told(refused, "ratelimit")[1]["r"] == 0
