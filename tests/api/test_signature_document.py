"""Signatures over whole requests as their document prints them."""

import re
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from http_message_signatures import HTTPMessageSigner, MappingKeyResolver
from http_message_signatures.algorithms import HMAC_SHA256

from api.bash import bash
from api.signed import JSON, guarded
from api.wire import RUN, Caller, Wire
from tintype_client.signatures import content_digest, sign_request, signature_base

DOCUMENT = (Path(__file__).parents[2] / "docs" / "signatures.md").read_text("utf-8")


@pytest.fixture(scope="module")
def caller(wire: Wire) -> Caller:
    return guarded(wire)


def block(opening: str) -> str:
    """The first code block of the document that begins like this."""
    found = re.search(rf"```\w*\n({re.escape(opening)}.*?)\n```", DOCUMENT, re.DOTALL)
    assert found, opening
    return found[1]


VECTOR_BODY = b'{"taskid":"2221"}'
VECTOR: dict[str, Any] = {
    "method": "POST",
    "url": "https://draw.example/v1/Task/Detail",
    "key": "key",
    "created": 1734513807,
    "nonce": "b3k2Jd90",
}


def test_the_documents_vector_is_what_the_sdk_signs() -> None:
    headers = dict(line.split(": ", 1) for line in block("x-api-key: key").splitlines())

    base, _ = signature_base(**VECTOR, headers=JSON | {"content-digest": content_digest(VECTOR_BODY)})
    proof = sign_request(**VECTOR, headers=JSON, body=VECTOR_BODY, secret="secret")

    assert base == block('"@method": POST')
    assert {"x-api-key": "key", **JSON, **proof} == headers
    assert block("{").encode() == VECTOR_BODY


def test_the_documents_vector_is_what_another_implementation_signs() -> None:
    secret = {"key": b"secret"}
    signer = HTTPMessageSigner(
        signature_algorithm=HMAC_SHA256,
        key_resolver=MappingKeyResolver(public_keys=secret, private_keys=secret),
    )
    message = SimpleNamespace(method="POST", url=VECTOR["url"], headers=dict(JSON))

    signer.sign(
        message,
        body=VECTOR_BODY,
        key_id="key",
        created=datetime.fromtimestamp(VECTOR["created"], tz=UTC),
        nonce=VECTOR["nonce"],
        label="tintype",
        covered_component_ids=("@method", "@path", "@query", "content-digest", "content-type"),
    )

    headers = {name.lower(): value for name, value in message.headers.items()}
    assert headers | {"x-api-key": "key"} == dict(
        line.split(": ", 1) for line in block("x-api-key: key").splitlines()
    )


def test_the_documents_commands_work_as_printed(wire: Wire, caller: Caller) -> None:
    wire.post(RUN, {"prompt": ""}, caller=caller)
    exports = f"TINTYPE_URL={wire.url} YOUR_API_KEY={caller.key} YOUR_API_SECRET={caller.secret}\n"

    first, second = (bash(wire.url, exports + block("BODY="))[0] for _ in range(2))

    assert first["result"] is True, first
    assert second["result"] is True, second
