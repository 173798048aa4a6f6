"""Requests that are signed as a whole, also by hand and wrongly."""

import base64
import hashlib
import hmac
import os
import time
from typing import Any

import httpx2

from api.wire import PUBLIC_URL, Caller, Wire
from tintype.domain.project import Auth, RequestSignature
from tintype.storage import guards
from tintype_client.signatures import content_digest, sign_request

LIST, DETAIL = "/v1/Task/List", "/v1/Task/Detail"
REFUSED = (401, "Project authorization is not valid.")
JSON = {"content-type": "application/json"}


def guarded(wire: Wire, signature: RequestSignature = RequestSignature.REQUIRED, **more: Any) -> Caller:
    """A new project with that demand."""
    caller = wire.project(auth=Auth.SIGNATURE, **more)
    wire.write(lambda c: guards.guard_project(c, caller.project, request_signature=signature))
    return caller


def signed(
    caller: Caller, path: str = LIST, body: bytes = b"{}", *, headers: dict[str, str] = JSON, **more: Any
) -> dict[str, str]:
    """The headers of a signed request."""
    proof = sign_request(
        method=more.pop("method", "POST"),
        url=PUBLIC_URL + path,
        headers=headers,
        body=body,
        key=caller.key,
        secret=caller.secret,
        **more,
    )
    return {"x-api-key": caller.key, **headers, **proof}


def by_hand(caller: Caller, covered: dict[str, str], parameters: str, label: str = "sig") -> dict[str, str]:
    """A signature over just these components, with just these parameters."""
    inner = f"({' '.join(f'{name}' for name in covered)}){parameters}"
    base = "\n".join(
        [*(f"{name}: {value}" for name, value in covered.items()), f'"@signature-params": {inner}']
    )
    made = hmac.new(caller.secret.encode(), base.encode(), hashlib.sha256).digest()
    return {
        "x-api-key": caller.key,
        "content-digest": content_digest(b"{}"),
        **JSON,
        "signature-input": f"{label}={inner}",
        "signature": f"{label}=:{base64.b64encode(made).decode()}:",
    }


def components(**changes: str | None) -> dict[str, str]:
    """What a POST of `{}` to Task/List must cover, as changed; None leaves one out."""
    whole: dict[str, str | None] = {
        '"@method"': "POST",
        '"@path"': LIST,
        '"@query"': "?",
        '"content-digest"': content_digest(b"{}"),
        '"content-type"': "application/json",
        **{f'"{name}"': value for name, value in changes.items()},
    }
    return {name: value for name, value in whole.items() if value is not None}


def parameters(caller: Caller, *, left_out: str = "", **changes: str) -> str:
    """The parameters of a signature, as they are written."""
    whole = {
        "created": str(int(time.time())),
        "keyid": f'"{caller.key}"',
        "nonce": f'"{os.urandom(8).hex()}"',
        **changes,
    }
    return "".join(f";{name}={value}" for name, value in whole.items() if name != left_out)


def send(wire: Wire, headers: dict[str, str], path: str = LIST, body: bytes = b"{}") -> tuple[int, str]:
    """HTTP status, and the message of a refusal."""
    return outcome(wire.http.post(path, content=body, headers=headers))


def outcome(response: httpx2.Response) -> tuple[int, str]:
    errors = response.json()["errors"]
    return response.status_code, errors[0]["message"] if errors else ""
