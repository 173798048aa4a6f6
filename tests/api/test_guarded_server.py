"""The guards of a really started server, as its settings say."""

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from cli.commands import tintype
from serving import MODEL, Server, start_server
from tintype_client import Client
from tintype_client.credentials import Credentials, sign

RUN = f"/v1/Run/{MODEL}"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    settings = {
        "rate_run": "1/h burst 2",
        "rate_upload": "1/day",
        "nonce_window": 30,
        "trusted_proxies": "127.0.0.1",
    }
    folder = tmp_path_factory.mktemp("guarded") / "data"
    with start_server(folder, weights="blank:", **settings) as server:
        yield server


def test_check_92_the_rates_of_the_settings_hold(guarded: Server) -> None:
    answers = [guarded.post(RUN, {"prompt": "a red apple", "width": 64, "height": 64}) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].headers["retry-after"].isdecimal()
    assert answers[0].headers["ratelimit-policy"] == '"run";q=2;w=7200'
    headers = guarded.headers()
    uploads = [
        httpx2.post(f"{guarded.url}/v1/File/Upload", headers=headers, files={"file": ("a.txt", b"text")})
        for _ in range(2)
    ]
    assert [answer.status_code for answer in uploads] == [200, 429]
    for _ in range(5):
        assert guarded.post("/v1/Task/Detail", {"taskid": answers[0].json()["taskid"]}).status_code == 200


def test_a_trusted_proxy_of_the_settings_says_who_calls(guarded: Server, tmp_path: Path) -> None:
    tintype(
        *("project", "set", "bootstrap", "--allow", "192.0.2.1", "--allow", "127.0.0.1"),
        cwd=tmp_path,
        data=str(guarded.data),
    )
    signed = Credentials(key=guarded.key, secret=guarded.secret).headers()

    def asked(address: str) -> int:
        headers = signed | {"x-forwarded-for": address}
        return httpx2.post(f"{guarded.url}/v1/Task/List", headers=headers, json={}).status_code

    assert asked("192.0.2.1") == 200
    assert asked("192.0.2.2") == 401


def test_a_started_server_bounds_headers(guarded: Server) -> None:
    host, port = guarded.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(b"POST /v1/Task/List HTTP/1.1\r\nHost: x\r\nx: " + b"y" * 100_000 + b"\r\n\r\n")

        answer = connection.recv(65536)

    assert answer.startswith(b"HTTP/1.1 431 ")
    assert b'"Request headers are too large."' in answer


def test_it_still_serves(guarded: Server) -> None:
    with Client(guarded.url, guarded.key, guarded.secret) as client:
        assert client.list().total >= 2


def test_check_93_the_window_of_the_settings_counts(guarded: Server, tmp_path: Path) -> None:
    def project(*arguments: str) -> dict[str, str]:
        done = tintype("project", *arguments, "--json", cwd=tmp_path, data=str(guarded.data))
        return dict(json.loads(done.stdout))

    shop = project("create", "--name", "strict")
    project("set", "strict", "--strict", "on")

    def asked(ago: float) -> int:
        nonce = str(int(time.time() - ago))
        signature = sign(key=shop["key"], secret=shop["secret"], nonce=nonce)
        headers = {"x-api-key": shop["key"], "x-nonce": nonce, "x-signature": signature}
        return httpx2.post(f"{guarded.url}/v1/Task/List", headers=headers, json={}).status_code

    assert [asked(15), asked(40), asked(-40)] == [200, 401, 401]
