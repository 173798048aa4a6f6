"""Section 3: who is asking, decided from the headers alone."""

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import pytest

from api.wire import MODEL, RUN, Caller, Wire
from tintype.domain.project import Auth
from tintype.domain.signature import sign

DETAIL = "/v1/Task/Detail"
PROBE = {"tasktoken": "test"}
SIGNATURE_REQUIRED = (
    "Project requires signature authentication. x-signature and x-nonce headers are required."
)


def refused(wire: Wire, headers: Mapping[str, str], path: str = DETAIL) -> tuple[int, int, str]:
    """HTTP status, code and message of a refusal."""
    response = wire.http.post(path, json=PROBE, headers=dict(headers))
    body = response.json()
    assert body["result"] is False
    assert response.headers["content-type"] == "application/json; charset=utf-8"
    return response.status_code, body["errors"][0]["code"], body["errors"][0]["message"]


@pytest.fixture(scope="session")
def vector(wire: Wire) -> Caller:
    """The project of the protocol's test vector."""
    return wire.project(auth=Auth.SIGNATURE, key="key", secret="secret")


def test_check_01_a_key_is_enough_for_a_key_only_project(wire: Wire, keyed: Caller) -> None:
    assert wire.http.post("/v1/Task/List", headers={"x-api-key": keyed.key}).json()["result"] is True


def test_check_02_a_key_only_project_ignores_nonce_and_signature(wire: Wire, keyed: Caller) -> None:
    garbage = {"x-api-key": keyed.key, "x-nonce": "not a number", "x-signature": "garbage"}

    assert wire.http.post("/v1/Task/List", headers=garbage).json()["result"] is True


@pytest.mark.parametrize("key", ["nobody", "k" * 30_000, "clé", "'; DROP TABLE projects; --"])
def test_check_03_an_unknown_key_is_refused(wire: Wire, key: str) -> None:
    response = wire.http.post(DETAIL, headers=[(b"x-api-key", key.encode())], json=PROBE)

    assert response.status_code == 401
    assert response.json()["errors"] == [{"code": 0, "message": "Project authorization is not founded."}]


def test_check_04_a_signature_project_asks_for_a_signature(wire: Wire) -> None:
    whole = wire.caller.headers()

    for left_out in ("x-nonce", "x-signature"):
        headers = {name: value for name, value in whole.items() if name != left_out}
        assert refused(wire, headers) == (401, 0, SIGNATURE_REQUIRED)
        assert refused(wire, {**headers, left_out: ""}) == (401, 0, SIGNATURE_REQUIRED)


def test_check_05_a_wrong_signature_is_refused(wire: Wire) -> None:
    wrong = wire.caller.headers() | {"x-nonce": "1"}

    assert refused(wire, wrong) == (401, 0, "Project authorization is not valid.")


VECTOR = "dad132e791da142de62323cd2a6e8abae68f8cd507430208272e8434f203f149"


@pytest.mark.parametrize(
    "signature",
    [VECTOR, f"SHA2-256(stdin)= {VECTOR}", f"(stdin)= {VECTOR}", f"{VECTOR} *stdin", VECTOR.upper()],
)
def test_check_06_07_08_the_test_vector_is_accepted_as_shells_print_it(
    wire: Wire, vector: Caller, signature: str
) -> None:
    headers = {"x-api-key": vector.key, "x-nonce": "123", "x-signature": signature}

    assert wire.http.post("/v1/Task/List", headers=headers).json()["result"] is True


@pytest.mark.parametrize("signature", [f"{VECTOR} {VECTOR}", VECTOR[:-1], VECTOR + "0", "SHA2-256(stdin)="])
def test_check_09_without_exactly_one_hex_run_the_signature_is_wrong(
    wire: Wire, vector: Caller, signature: str
) -> None:
    headers = {"x-api-key": vector.key, "x-nonce": "123", "x-signature": signature}

    assert refused(wire, headers) == (401, 0, "Project authorization is not valid.")


def test_check_10_one_nonce_serves_thirty_requests_and_does_not_age(wire: Wire) -> None:
    eleven_minutes_old = wire.caller.headers(nonce=str(int(time.time()) - 11 * 60))
    paths = (
        DETAIL,
        "/v1/Task/List",
        "/v1/Task/Cancel",
        "/v1/Task/Kill",
        "/v1/Task/InputOutputDelete",
        RUN,
        "/v1/Tool/List",
        "/v1/Tool/Detail",
        "/v1/Tool/Explore",
        "/v1/File/FolderCreate",
    )

    for _ in range(3):
        for path in paths:
            assert wire.http.post(path, json=PROBE, headers=eleven_minutes_old).status_code == 200


def test_check_11_forty_requests_at_once_share_a_nonce(wire: Wire) -> None:
    headers = wire.caller.headers()

    with ThreadPoolExecutor(40) as pool:
        statuses = pool.map(
            lambda _: wire.http.post(DETAIL, json=PROBE, headers=headers).status_code, range(40)
        )

    assert set(statuses) == {200}


@pytest.mark.parametrize("nonce", ["1734513807123456789", "7", "0007", "9" * 40])
def test_check_12_a_nonce_is_a_text(wire: Wire, nonce: str) -> None:
    assert wire.post(DETAIL, PROBE, headers=wire.caller.headers(nonce)).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        RUN,
        f"{RUN}/sync",
        f"/v1/Run/{MODEL.upper()}",
        DETAIL,
        "/v1/Task/List",
        "/v1/Task/Cancel",
        "/v1/Task/Kill",
        "/v1/Task/InputOutputDelete",
        "/v1/File/Upload",
        "/v1/File/FolderCreate",
    ],
)
@pytest.mark.parametrize("headers", [{}, {"x-api-key": ""}, {"x-nonce": "1", "x-signature": VECTOR}])
def test_check_13_without_credentials_the_answer_is_code_99(
    wire: Wire, path: str, headers: dict[str, str]
) -> None:
    assert refused(wire, headers, path) == (401, 99, "Authorization bearer token is not founded in headers.")


def test_a_bearer_instead_of_a_key_is_wrong(wire: Wire) -> None:
    bearer = {"authorization": "Bearer abc"}

    assert refused(wire, bearer) == (401, 99, "Authorization bearer token is invalid.")
    assert refused(wire, {"authorization": "Bearer"})[2].endswith("not founded in headers.")
    assert refused(wire, {"authorization": "Basic YWJj"})[2].endswith("not founded in headers.")


def test_a_key_counts_before_a_bearer(wire: Wire, keyed: Caller) -> None:
    both = {"x-api-key": keyed.key, "authorization": "Bearer abc"}

    assert wire.http.post("/v1/Task/List", headers=both).status_code == 200


def test_check_14_tools_are_shown_to_anybody_but_a_wrong_key(wire: Wire, keyed: Caller) -> None:
    assert wire.http.post("/v1/Tool/List").status_code == 200
    assert wire.http.post("/v1/Tool/List", headers={"x-api-key": keyed.key}).status_code == 200
    for path in ("/v1/Tool/List", "/v1/Tool/Detail"):
        assert refused(wire, {"x-api-key": "wrong"}, path)[:2] == (401, 0)
        assert refused(wire, {"authorization": "Bearer wrong"}, path)[:2] == (401, 99)


def test_check_15_a_credential_probe_gets_http_200(wire: Wire) -> None:
    response = wire.post(DETAIL, PROBE)

    assert (response.status_code, response.json()["result"]) == (200, False)


def test_an_address_beyond_the_allow_list_is_refused(wire: Wire) -> None:
    elsewhere = wire.project(allowed_addresses=["192.0.2.0/24", "2001:db8::/32"])

    assert refused(wire, elsewhere.headers()) == (401, 0, "Requested ip 127.0.0.1 is not allowed.")


@pytest.mark.parametrize("allowed", ["127.0.0.1", "127.0.0.0/8", "0.0.0.0/0"])
def test_an_address_on_the_allow_list_is_served(wire: Wire, allowed: str) -> None:
    here = wire.project(allowed_addresses=["2001:db8::1", allowed])

    assert wire.post("/v1/Task/List", caller=here).json()["result"] is True


def test_who_asks_matters_before_what_is_asked(wire: Wire) -> None:
    for body in (b"{malformed", b"x" * 70_000):
        response = wire.http.post(DETAIL, content=body)
        assert (response.status_code, response.json()["errors"][0]["code"]) == (401, 99)


def test_on_task_endpoints_a_refused_caller_still_finds_an_empty_list(wire: Wire) -> None:
    body = wire.http.post(DETAIL).json()

    assert (body["total"], body["tasklist"]) == ("0", [])


def test_the_signature_covers_neither_path_nor_body(wire: Wire) -> None:
    headers = wire.caller.headers("5")

    assert headers["x-signature"] == sign(key=wire.caller.key, secret=wire.caller.secret, nonce="5")
    assert wire.http.post("/v1/Task/List", json={"limit": 1}, headers=headers).json()["result"] is True
    assert wire.http.post(RUN, json={"prompt": ""}, headers=headers).json()["result"] is True


def test_a_change_of_a_project_takes_effect_within_a_second(wire: Wire) -> None:
    caller = wire.project()
    assert wire.post("/v1/Task/List", caller=caller).status_code == 200
    elsewhere = f"UPDATE projects SET allowed_addresses = '[\"192.0.2.1\"]' WHERE id = {caller.project.id}"
    wire.write(lambda c: c.exec_driver_sql(elsewhere))

    time.sleep(1)

    assert wire.post("/v1/Task/List", caller=caller).status_code == 401
