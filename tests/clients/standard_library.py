"""A client of nothing but Python's standard library, its WebSocket included. Imports nothing of Tintype."""

import base64
import hashlib
import hmac
import json
import os
import socket
import struct
import sys
import time
import urllib.request
from typing import Any
from urllib.parse import urlsplit

SERVER, KEY, SECRET, MODEL = (os.environ[name] for name in ("SERVER", "KEY", "SECRET", "MODEL"))
INPUTS = {"prompt": "a red apple", "width": "64", "height": "64", "steps": "4"}


def headers() -> dict[str, str]:
    nonce = str(int(time.time()))
    signature = hmac.new(KEY.encode(), (SECRET + nonce).encode(), hashlib.sha256).hexdigest()
    return {"x-api-key": KEY, "x-nonce": nonce, "x-signature": signature}


def post(path: str, body: Any, content_type: str = "application/json") -> dict[str, Any]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(
        f"{SERVER}/v1/{path}", data, {"Content-Type": content_type, **headers()}, method="POST"
    )
    with urllib.request.urlopen(request) as answer:
        content: dict[str, Any] = json.load(answer)
    assert content["result"], content
    return content


def task(ran: dict[str, Any]) -> dict[str, Any]:
    return dict(post("Task/Detail", {"tasktoken": ran["socketaccesstoken"]})["tasklist"][0])


def upload(content: bytes) -> str:
    head = '--x\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'
    form = head.encode() + content + b"\r\n--x--\r\n"
    return str(post("File/Upload", form, "multipart/form-data; boundary=x")["list"][0]["url"])


def follow(token: str) -> list[str]:
    """The types of the frames of a task, to the server's close."""
    address = urlsplit(SERVER)
    with socket.create_connection((address.hostname, address.port)) as line:
        stream = line.makefile("rb")
        key = base64.b64encode(os.urandom(16)).decode()
        line.sendall(
            f"GET /v1 HTTP/1.1\r\nHost: {address.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
        )
        assert b" 101 " in stream.readline()
        while stream.readline() != b"\r\n":
            pass
        text = json.dumps({"type": "task_info", "tasktoken": token}).encode()
        line.sendall(struct.pack("!BBI", 0x81, 0x80 | len(text), 0) + text)
        types = []
        while True:
            first, length = struct.unpack("!BB", stream.read(2))
            if length >= 126:
                (length,) = struct.unpack(
                    "!H" if length == 126 else "!Q", stream.read(2 if length == 126 else 8)
                )
            payload = stream.read(length)
            if first & 0x0F == 8:
                assert payload[:2] == struct.pack("!H", 1000), payload
                return types
            if first & 0x0F == 1:
                types.append(json.loads(payload)["type"])


def draw() -> dict[str, Any]:
    found = post("Tool/List", {"search": "flux", "start": 0, "limit": 20, "categories": []})
    ran = post(f"Run/{MODEL}", INPUTS)
    while (shown := task(ran))["status"] not in ("task_postprocess_end", "task_cancel"):
        time.sleep(0.1)
    return {
        "models": [f"{tool['cleanslugowner']}/{tool['cleanslugproject']}" for tool in found["tool"]],
        "upload": upload(b"\x89PNG\r\n\x1a\n"),
        "task": ran["taskid"],
        "polled": shown["status"],
        "followed": follow(post(f"Run/{MODEL}", INPUTS)["socketaccesstoken"]),
        "picture": shown["outputs"][0]["url"],
    }


def end() -> dict[str, Any]:
    running, queued = post(f"Run/{MODEL}", INPUTS), post(f"Run/{MODEL}", INPUTS)
    return {
        "cancelled": post("Task/Cancel", {"taskid": queued["taskid"]})["tasklist"][0]["status"],
        "killed": post("Task/Kill", {"taskid": running["taskid"]})["tasklist"][0]["status"],
    }


print(json.dumps({"draw": draw, "end": end}[sys.argv[1]]()))
