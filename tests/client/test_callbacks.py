"""Receivers of callbacks recognise genuine ones."""

import json
import time
from collections.abc import Callable
from decimal import Decimal

import pytest

from tintype.callbacks.signing import headers
from tintype_client import BadCallback, verify_callback

SECRET, OTHER = "whsec_plJ3nmyCDGBKInavdOK15jsl", "whsec_b3RoZXI="
TASK = {
    "id": "7",
    "socketaccesstoken": "token",
    "status": "task_postprocess_end",
    "pexit": "0",
    "starttime": "1734513807",
    "totalcost": "0.003510000000",
}
BODY = json.dumps({"total": "1", "errors": [], "tasklist": [TASK], "result": True}).encode()


def signed(
    *secrets: str, body: bytes = BODY, seconds_ago: float = 0, message_id: str = "msg_1"
) -> dict[str, str]:
    """The headers of a callback, as the server sends them."""
    timestamp = int(time.time() - seconds_ago)
    return headers(secrets or (SECRET,), message_id=message_id, timestamp=timestamp, body=body)


def test_a_genuine_callback_gives_its_task() -> None:
    task = verify_callback(SECRET, signed(), BODY)

    assert (task.id, task.token, task.succeeded) == ("7", "token", True)
    assert (task.started, task.total_cost) == (1734513807, Decimal("0.00351"))


def test_the_vector_of_the_standard_is_genuine() -> None:
    vector = {
        "Webhook-Id": "msg_loFOjxBNrRLzqYUf",
        "Webhook-Timestamp": "1731705121",
        "Webhook-Signature": "v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0=",
    }

    with pytest.raises(BadCallback, match="it tells of no task"):  # and not: no signature fits
        verify_callback(SECRET, vector, '{"event_type":"ping","data":{"success":true}}', tolerance=1e12)


def test_one_of_several_signatures_is_enough() -> None:
    assert verify_callback(SECRET, signed(OTHER, SECRET), BODY.decode()).id == "7"


@pytest.mark.parametrize(
    ("given", "body", "why"),
    [
        (lambda: signed(OTHER), BODY, "no signature fits"),
        (lambda: signed(), BODY + b" ", "no signature fits"),
        (lambda: signed() | {"webhook-id": "msg_2"}, BODY, "no signature fits"),
        (lambda: signed() | {"webhook-timestamp": "1"}, BODY, "no signature fits"),
        (lambda: signed() | {"webhook-signature": "v1,"}, BODY, "no signature fits"),
        (
            lambda: signed() | {"webhook-signature": signed()["webhook-signature"][3:]},
            BODY,
            "no signature fits",
        ),
        (lambda: signed() | {"webhook-signature": "v1,\udcff é"}, BODY, "no signature fits"),
        (lambda: signed() | {"webhook-signature": ""}, BODY, "webhook-signature is missing"),
        (lambda: {}, BODY, "webhook-id is missing"),
        (lambda: signed(seconds_ago=301), BODY, "not fresh"),
        (lambda: signed(seconds_ago=-310), BODY, "not fresh"),
        (lambda: signed(body=b"{}"), b"{}", "tells of no task"),
        (lambda: signed(body=b"\xff"), b"\xff", "tells of no task"),
    ],
)
def test_what_is_not_genuine_is_refused(given: Callable[[], dict[str, str]], body: bytes, why: str) -> None:
    with pytest.raises(BadCallback, match=why):
        verify_callback(SECRET, given(), body)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_not base64"])
def test_nothing_is_genuine_without_a_secret(secret: str) -> None:
    with pytest.raises(ValueError, match="the secret is not"):
        verify_callback(secret, signed(), BODY)
