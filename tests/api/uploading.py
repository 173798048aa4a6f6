"""Uploads, and how they are answered."""

from typing import Any

import httpx2

from api.wire import Caller, Wire
from files import picture

UPLOAD, FOLDER = "/v1/File/Upload", "/v1/File/FolderCreate"
PNG = picture()
MIB = 2**20


def upload(
    wire: Wire, content: bytes, name: str = "a.png", *, caller: Caller | None = None, **texts: str
) -> Any:
    """The answer to an upload, which labels every part as many clients do."""
    headers = (caller or wire.caller).headers()
    part = (name, content, "application/octet-stream")
    return wire.http.post(UPLOAD, files={"file": part}, data=texts, headers=headers)


def uploaded(answer: httpx2.Response) -> dict[str, Any]:
    body = answer.json()
    assert body["result"], body
    assert body["errors"] == []
    (file,) = body["list"]
    return dict(file)


def refused(answer: httpx2.Response) -> str:
    body = answer.json()
    assert (answer.status_code, body["result"], body["list"]) == (200, False, []), body
    (error,) = body["errors"]
    assert error["code"] == 0
    return str(error["message"])
