"""Signatures as Standard Webhooks has them."""

import base64
import hashlib
import hmac

from tintype.callbacks.signing import headers, sign

SECRET = "whsec_plJ3nmyCDGBKInavdOK15jsl"
BODY = b'{"event_type":"ping","data":{"success":true}}'
SIGNATURE = "v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0="


def test_check_95_the_vector_of_the_standard() -> None:
    signature = sign(SECRET, message_id="msg_loFOjxBNrRLzqYUf", timestamp=1731705121, body=BODY)

    assert signature == SIGNATURE


def test_while_a_secret_is_rotated_both_sign() -> None:
    other = "whsec_" + base64.b64encode(b"another secret").decode()

    signed = headers([other, SECRET], message_id="msg_1", timestamp=1731705121, body=b"\x00\xff")

    key_of_other = hmac.digest(b"another secret", b"msg_1.1731705121.\x00\xff", hashlib.sha256)
    first, second = signed["webhook-signature"].split(" ")
    assert first == "v1," + base64.b64encode(key_of_other).decode()
    assert second == sign(SECRET, message_id="msg_1", timestamp=1731705121, body=b"\x00\xff")
    assert (signed["webhook-id"], signed["webhook-timestamp"]) == ("msg_1", "1731705121")
