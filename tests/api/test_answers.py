"""Errors become HTTP in one table, and the table is total."""

from collections.abc import Iterator

import msgspec
import pytest

from tintype.api.answers import ANSWERS, FAULT, fault, refusal
from tintype.domain import errors
from tintype.domain.errors import TintypeError


def leaves(kind: type[TintypeError]) -> Iterator[type[TintypeError]]:
    children = [child for child in kind.__subclasses__() if child.__module__ == errors.__name__]
    if not children:
        yield kind
    for child in children:
        yield from leaves(child)


def test_every_error_has_an_answer() -> None:
    assert set(ANSWERS) == set(leaves(TintypeError))


BEFORE_ANY_ENDPOINT = {400, 408, 431}
"""Said of what is no request at all."""


def test_only_the_protocol_s_statuses_are_used() -> None:
    used = {answer.status for answer in ANSWERS.values()}

    assert used == {200, 401, 404, 413, 429, 500} | BEFORE_ANY_ENDPOINT


def test_a_refusal_carries_its_code_and_its_message() -> None:
    response = refusal(errors.UnknownTask(), {"total": "0", "tasklist": []})

    assert (response.status_code, msgspec.json.decode(response.body)) == (
        200,
        {
            "total": "0",
            "errors": [{"code": 1, "message": "There is no task yet."}],
            "tasklist": [],
            "result": False,
        },
    )


def test_every_refused_input_is_an_error_of_its_own() -> None:
    body = msgspec.json.decode(refusal(errors.InvalidInputs("one", "two")).body)

    assert body["errors"] == [{"code": 0, "message": "one"}, {"code": 0, "message": "two"}]


def test_the_code_96_names_balance_and_limit() -> None:
    error = errors.BalanceConcurrencyLimit(balance="49.50", limit=4)

    body = msgspec.json.decode(refusal(error).body)

    assert body["errors"] == [
        {
            "code": 96,
            "message": "You have reached your concurrent task limit. With your current balance of $49.50, "
            "you can run up to 4 tasks at the same time. Add funds to increase your limit.",
        }
    ]


def test_too_many_requests_say_when_to_come_back() -> None:
    response = refusal(errors.TooManyRequests(retry_after=7))

    assert (response.status_code, response.headers["retry-after"]) == (429, "7")


@pytest.mark.parametrize("error", [errors.BadSetting(name="vault key", problem="wrong"), None])
def test_check_96_what_is_wrong_inside_stays_inside(error: TintypeError | None) -> None:
    response = refusal(error) if error else fault()

    assert response.status_code == 500
    assert msgspec.json.decode(response.body) == {"errors": [{"code": 0, "message": FAULT}], "result": False}
