"""Section 5: a request for a picture becomes a task."""

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from api.test_bodies import FORM, MULTIPART, multipart
from api.wire import MODEL, RUN, Caller, Wire

CONFLICT = "Idempotency-Key was already used with a different request."


def refusal(wire: Wire, path: str = RUN, **body: Any) -> list[tuple[int, str]]:
    """Codes and messages of a Run that is refused."""
    response = wire.post(path, body)
    answer = response.json()
    assert (response.status_code, answer["result"]) == (200, False)
    assert "taskid" not in answer
    return [(error["code"], error["message"]) for error in answer["errors"]]


def test_check_27_28_success_has_exactly_these_fields(wire: Wire) -> None:
    answers = [wire.run() for _ in range(3)]

    for answer in answers:
        assert answer.keys() == {"errors", "taskid", "socketaccesstoken", "result"}
        assert (answer["errors"], answer["result"]) == ([], True)
        assert re.fullmatch(r"[1-9][0-9]*", answer["taskid"])
        assert re.fullmatch(r"(?=.*[A-Za-z])[A-Za-z0-9]{30}", answer["socketaccesstoken"])
    assert len({answer["socketaccesstoken"] for answer in answers}) == 3


def test_check_29_zeros_mean_defaults_for_four_and_zero_for_two(wire: Wire) -> None:
    names = ("width", "height", "guidance", "steps", "seed", "safetyTolerance")
    zeros: dict[str, Any] = dict.fromkeys(names, 0)

    ran = wire.run(**zeros)

    inputs = wire.claim(ran).inputs
    assert (inputs["width"], inputs["height"], inputs["guidance"], inputs["steps"]) == (1024, 1024, 4.5, 50)
    assert (inputs["seed"], inputs["safetyTolerance"]) == (0, 0)


@pytest.mark.parametrize(
    "spelling",
    [
        "Black-Forest-Labs/flux-2-flex-t2i",
        "%20black-forest-labs/flux-2-flex-t2i%20",
        "BLACK-FOREST-LABS/FLUX-2-FLEX-T2I",
        "black%2Dforest%2Dlabs/%66lux-2-flex-t2i",
        "%09black-forest-labs%20/%0Aflux-2-flex-t2i",
    ],
)
def test_check_30_31_every_spelling_of_a_slug_is_the_model(wire: Wire, spelling: str) -> None:
    ran = wire.post(f"/v1/Run/{spelling}", {"prompt": ""}).json()

    assert wire.detail(ran)["modelslugproject"] == "flux-2-flex-t2i"


@pytest.mark.parametrize(
    "slug",
    [
        "black-forest-labs/flux-3",
        "nobody/flux-2-flex-t2i",
        "%20/%20",
        "black-forest-labs/flux-2-flex-t2i%2Fsync",
    ],
)
def test_check_32_an_unknown_model_is_named_so(wire: Wire, slug: str) -> None:
    assert refusal(wire, f"/v1/Run/{slug}", prompt="") == [(1, "slug-owner-project-not-exist")]


@pytest.mark.parametrize(
    "path",
    [
        f"{RUN}/sync/",
        f"{RUN}/Sync",
        f"{RUN}/sync/sync",
        f"{RUN}/",
        "/v1/Run/black-forest-labs",
        "/v1/Run/black-forest-labs/",
        f"/v1/run/{MODEL}",
        "/v1/Run/black-forest-labs%2Fflux-2-flex-t2i",
    ],
)
def test_other_paths_are_unknown(wire: Wire, path: str) -> None:
    response = wire.post(path, {"prompt": ""})

    assert response.status_code == 404
    assert response.json()["errors"] == [{"code": 0, "message": "Error parsing url."}]


def test_check_33_34_84_85_86_inputs_are_checked(wire: Wire) -> None:
    assert refusal(wire, prompt="", width="abc") == [
        (0, "Request parameter [width] must be integer or float")
    ]
    assert refusal(wire, prompt="", width=99999) == [
        (0, "Request parameter [width] must be between 64 and 2048")
    ]
    assert refusal(wire) == [(0, "Request parameter [prompt] required")]
    assert refusal(wire, prompt="", width=1000) == [(0, "Request parameter [width] must be a multiple of 16")]
    assert refusal(wire, prompt="", seed=4294967296) == [
        (0, "Request parameter [seed] must be between 0 and 4294967295")
    ]
    assert refusal(wire, prompt=None, steps=1.5, outputFormat="gif") == [
        (0, "Request parameter [prompt] required"),
        (0, "Request parameter [steps] must be an integer"),
        (0, "Request parameter [outputFormat] must be one of jpeg, png"),
    ]
    assert wire.run("", width=2048, height=2048)["result"] is True


def test_check_35_a_project_s_own_limit_of_unfinished_tasks(wire: Wire) -> None:
    limited = wire.project(max_concurrent=2)
    first = wire.run(caller=limited)
    wire.run(caller=limited)

    answer = wire.post(RUN, {"prompt": ""}, caller=limited)

    assert (answer.status_code, answer.json()["errors"]) == (
        200,
        [{"code": 96, "message": "You have reached your concurrent task limit of 2."}],
    )
    wire.post("/v1/Task/Cancel", first, caller=limited)
    assert wire.run(caller=limited)["result"] is True


def test_check_36_parameters_are_echoed_as_sent(wire: Wire) -> None:
    sent: dict[str, Any] = {
        "width": "512",
        "steps": 0,
        "colour": {"deep": [1, 2.5, None, True]},
        "seed": "",
        "callbackurl": "x",
    }

    ran = wire.run("", **sent, callbackUrl="https://example.org/hook", projectid="")

    task = wire.detail(ran)
    assert task["parameters"] == {"prompt": "", **sent}
    assert task["callbackurl"] == "https://example.org/hook"
    assert task["debugerror"] == ""


@pytest.mark.parametrize("callback", ["", None, "https://example.org/a?b=c"])
def test_check_80_no_callback_and_a_good_one_are_not_noted(wire: Wire, callback: str | None) -> None:
    assert wire.detail(wire.run(callbackUrl=callback))["debugerror"] == ""


@pytest.mark.parametrize(
    "callback", ["/hook", "ftp://a/b", "http://", "http://a b/", "http://[::1", "\u0000", 7]
)
def test_check_80_what_is_no_url_is_kept_and_noted(wire: Wire, callback: object) -> None:
    task = wire.detail(wire.run(callbackUrl=callback))

    assert task["callbackurl"] == str(callback)
    assert task["debugerror"] == "callbackUrl is not an absolute http(s) URL; no callback will be sent."


@pytest.mark.parametrize(
    ("callback", "kept"), [(["http://a.b/"], '["http://a.b/"]'), ({"url": 1}, '{"url":1}')]
)
def test_check_80_a_list_and_an_object_are_no_url_either(wire: Wire, callback: object, kept: str) -> None:
    task = wire.detail(wire.run(callbackUrl=callback))

    assert task["callbackurl"] == kept
    assert task["debugerror"] == "callbackUrl is not an absolute http(s) URL; no callback will be sent."


def test_another_project_of_the_account_may_pay(wire: Wire, keyed: Caller) -> None:
    purse = wire.project(of=keyed)

    ran = wire.run(caller=keyed, projectid=purse.project.id)

    assert wire.detail(ran, caller=keyed)["projectid"] == str(purse.project.id)
    assert wire.post("/v1/Task/Detail", ran, caller=purse).json()["errors"][0]["code"] == 1


@pytest.mark.parametrize("project", ["999999", 999999, "abc", "-1", "9" * 30, "1.5", True])
def test_nobody_else_s_project_pays(wire: Wire, project: object) -> None:
    assert refusal(wire, prompt="", projectid=project) == [
        (0, "You don't have any permission for this action.")
    ]


def test_a_stranger_s_project_does_not_pay(wire: Wire, stranger: Caller) -> None:
    assert refusal(wire, prompt="", projectid=str(stranger.project.id))[0][0] == 0


def test_a_suspended_account_runs_nothing(wire: Wire) -> None:
    from tintype.storage.accounts import suspend_account

    suspended = wire.project()
    wire.write(lambda c: suspend_account(c, suspended.project.account.id))

    answer = wire.post(RUN, {"prompt": ""}, caller=suspended)

    assert answer.status_code == 200
    assert answer.json()["errors"][0]["message"].startswith("Your account has been suspended.")
    assert wire.post("/v1/Task/List", caller=suspended).json()["result"] is True


class TestIdempotency:
    def run(self, wire: Wire, key: str, caller: Caller | None = None, **body: Any) -> dict[str, Any]:
        answer = wire.post(RUN, {"prompt": "", **body}, caller=caller, headers={"idempotency-key": key})
        assert answer.status_code == 200
        return dict(answer.json())

    def test_check_87_one_key_and_body_is_one_task(self, wire: Wire) -> None:
        first = self.run(wire, "kite-1")

        assert self.run(wire, "kite-1") == first
        assert self.run(wire, '"kite-1"') == first
        assert self.run(wire, "kite-2") != first

    def test_check_87_also_when_both_run_at_once(self, wire: Wire) -> None:
        with ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(lambda n: self.run(wire, "twins" if n % 2 else '"twins"'), range(16)))

        assert answers == [answers[0]] * 16
        assert answers[0]["result"] is True

    def test_check_87_another_body_is_a_conflict(self, wire: Wire) -> None:
        self.run(wire, "kite-3")

        for changed in ({"seed": 5}, {"callbackUrl": "https://example.org"}):
            answer = self.run(wire, "kite-3", **changed)
            assert answer == {"errors": [{"code": 0, "message": CONFLICT}], "result": False}

    def test_check_87_another_project_s_key_is_another_key(self, wire: Wire, stranger: Caller) -> None:
        assert self.run(wire, "kite-4") != self.run(wire, "kite-4", stranger)

    def test_the_form_of_the_body_does_not_matter(self, wire: Wire) -> None:
        bodies = [(b"prompt=a&seed=7", FORM), (multipart(("prompt", "a"), ("seed", "7")), MULTIPART)]

        key: dict[str, Any] = {"idempotency-key": "kite-5"}

        answers = [wire.send(RUN, *body, **key).json() for body in bodies]

        assert answers[0] == answers[1]
        assert answers[0]["result"] is True

    def test_only_success_is_remembered(self, wire: Wire) -> None:
        assert self.run(wire, "kite-6", width=7)["result"] is False
        assert self.run(wire, "kite-6", width=64)["result"] is True

    def test_a_key_may_be_long_or_empty(self, wire: Wire) -> None:
        assert self.run(wire, "k" * 5000) == self.run(wire, f'"{"k" * 5000}"')
        assert self.run(wire, "") != self.run(wire, "")
        assert self.run(wire, '"a\\"b"') == self.run(wire, 'a"b')
