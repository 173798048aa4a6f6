"""`tintype project set`: strict nonces, request signatures and rates, heeded by a server that runs."""

import json
import time
from pathlib import Path

import httpx2
import pytest

from cli.commands import tintype
from serving import MODEL, Server, start_server, until
from tintype_client import Client, Unauthorized
from tintype_client.credentials import Credentials

LIST = "/v1/Task/List"


class Shop:
    """A project of a running server, and the words to guard it."""

    def __init__(self, server: Server, name: str, folder: Path) -> None:
        self._server = server
        self._folder = folder
        self.name = name
        self.fields = self.call("create", "--name", name)

    def call(self, *arguments: str) -> dict[str, str]:
        done = tintype("project", *arguments, "--json", cwd=self._folder, data=str(self._server.data))
        assert done.returncode == 0, done.stderr
        return dict(json.loads(done.stdout))

    def set(self, *options: str) -> dict[str, str]:
        return self.call("set", self.name, *options)

    def credentials(self) -> Credentials:
        return Credentials(key=self.fields["key"], secret=self.fields["secret"])

    def client(self, **options: bool) -> Client:
        return Client(self._server.url, self.fields["key"], self.fields["secret"], **options)

    def post(self, headers: dict[str, str], path: str = LIST) -> httpx2.Response:
        return httpx2.post(self._server.url + path, json={"prompt": ""}, headers=headers)


@pytest.fixture
def shop(plain_server: Server, tmp_path: Path) -> Shop:
    return Shop(plain_server, tmp_path.name, tmp_path)


def test_guards_are_shown_as_they_were_set(shop: Shop) -> None:
    assert shop.fields["strict"] is False
    assert shop.fields["request_signature"] == "off"
    assert (shop.fields["rate_run"], shop.fields["rate_upload"]) == ("default", "default")

    changed = shop.set(
        *("--strict", "on", "--request-signature", "required", "--rate-run", "10/s", "--rate-upload", "off")
    )

    assert (changed["strict"], changed["request_signature"]) == (True, "required")
    assert (changed["rate_run"], changed["rate_upload"]) == ("10/s burst 10", "off")
    shown = shop.call("show", shop.name)
    assert {name: shown[name] for name in changed} == changed
    assert shop.set("--strict", "off", "--rate-run", "default")["rate_run"] == "default"


def test_check_93_strict_mode_can_be_switched_on_and_off(shop: Shop) -> None:
    headers = shop.credentials().headers()
    assert [shop.post(headers).status_code for _ in range(2)] == [200, 200]

    shop.set("--strict", "on")
    until(lambda: shop.post(headers | {"x-nonce": "7"}).status_code == 401, within=5, what="the change")
    time.sleep(1)
    fresh = shop.credentials().headers()
    assert [shop.post(fresh).status_code for _ in range(2)] == [200, 401]

    shop.set("--strict", "off")
    until(lambda: shop.post(fresh).status_code == 200, within=5, what="the change")


def test_the_sdk_signs_whole_requests(shop: Shop) -> None:
    shop.set("--request-signature", "required")
    time.sleep(1)

    with shop.client() as plain, pytest.raises(Unauthorized, match="Project authorization is not valid"):
        plain.list()
    with shop.client(sign_requests=True) as client:
        task = client.wait(client.run(MODEL, prompt="a red apple", width=64, height=64))
        assert task.succeeded
        assert client.download(task.output).startswith(b"\x89PNG")
        assert client.list(model="flux").total == 1


def test_check_92_a_rate_holds_and_the_client_comes_back(shop: Shop) -> None:
    shop.set("--rate-run", "1/s burst 1")
    time.sleep(1)

    with shop.client() as client:
        began = time.monotonic()
        tickets = [client.run(MODEL, prompt="a red apple", width=64, height=64) for _ in range(3)]

        assert len({ticket.id for ticket in tickets}) == 3
        assert time.monotonic() - began > 1.5
        assert shop.post(shop.credentials().headers(), f"/v1/Run/{MODEL}").status_code == 429
        for _ in range(10):
            assert client.task(tickets[0]).id == tickets[0].id


def test_the_command_line_signs_where_it_is_told_to(plain_server: Server, shop: Shop, tmp_path: Path) -> None:
    shop.set("--request-signature", "required")
    time.sleep(1)
    access = {"url": plain_server.url, "key": shop.fields["key"], "secret": shop.fields["secret"]}

    plain = tintype("task", "list", cwd=tmp_path, **access)
    signed = tintype("task", "list", cwd=tmp_path, **access, sign_requests="on")
    unsure = tintype("task", "list", cwd=tmp_path, **access, sign_requests="perhaps")

    assert (plain.returncode, signed.returncode, unsure.returncode) == (3, 0, 2)
    assert unsure.stderr == "tintype: TINTYPE_SIGN_REQUESTS: must be on or off, not 'perhaps'\n"


def test_with_the_folders_credentials_requests_are_signed_as_their_project_wants(tmp_path: Path) -> None:
    with start_server(tmp_path / "data", weights="blank:"):
        listed = {}
        for wanted in ("required", "off"):
            tintype("project", "set", "bootstrap", "--request-signature", wanted, cwd=tmp_path, data="data")
            time.sleep(1)
            listed[wanted] = tintype("task", "list", cwd=tmp_path, data="data")

    for done in listed.values():
        assert done.returncode == 0, done.stderr


def test_what_cannot_be_guarded_is_one_clear_line(tmp_path: Path) -> None:
    def project(*arguments: str) -> str:
        done = tintype("project", *arguments, cwd=tmp_path, data="data")
        assert done.returncode == 2
        return done.stderr

    tintype("project", "create", "--name", "shop", "--auth", "key", cwd=tmp_path, data="data")

    assert project("set", "shop", "--strict", "on") == (
        "tintype: project shop: is known by its key alone; "
        "only a signature project can be strict or sign its requests\n"
    )
    assert project("set", "shop", "--rate-run", "often") == (
        "tintype: project shop: a rate of run must be off, "
        "or such as 10/s, 100/min burst 20 (per s, min, h or day), not 'often'\n"
    )
    assert "'required'" in project("set", "shop", "--request-signature", "always")
