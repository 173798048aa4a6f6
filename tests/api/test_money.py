"""Where runs are paid: codes 96 and 97, quotes, and what is charged."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from api.wire import RUN, Caller, Wire, start_wire
from serving import until
from tintype.domain.money import PICODOLLARS
from tintype.domain.wallet import Wallet
from tintype.service import now
from tintype.storage import accounts, project_changes, wallet
from tintype.storage.audit import audit

DOLLAR = PICODOLLARS
PROMPT = {"prompt": "a red kite"}
CPS = Decimal("0.000585000000")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wire]:
    """A server that charges money."""
    with start_wire(tmp_path_factory.mktemp("shop"), wallet=True) as shop:
        yield shop


def customer(shop: Wire, dollars: float, **limits: Any) -> Caller:
    """A project of a new account with so much money."""
    caller = shop.project(**limits)
    if dollars:
        amount = round(dollars * 1000) * DOLLAR // 1000
        shop.write(lambda connection: wallet.top_up(connection, caller.project.account.id, amount, now=now()))
    return caller


def has(shop: Wire, caller: Caller) -> Wallet:
    return shop.write(lambda connection: wallet.wallet_of(connection, caller.project.account.id))


def refusal(shop: Wire, caller: Caller, body: Any = None, path: str = RUN) -> tuple[int, int, str]:
    """HTTP status, code and message of a refused Run."""
    response = shop.post(path, body or PROMPT, caller=caller)
    answer = response.json()
    assert answer["result"] is False
    assert answer.keys() == {"result", "errors"}
    (error,) = answer["errors"]
    return response.status_code, error["code"], error["message"]


def assert_books_agree(shop: Wire) -> None:
    assert shop.write(audit).problems == ()


# Refusals


@pytest.mark.parametrize("dollars", [0, 0.499])
def test_check_35_below_half_a_dollar_nothing_runs(shop: Wire, dollars: float) -> None:
    assert refusal(shop, customer(shop, dollars)) == (200, 97, "Insufficient balance")


def test_check_35_too_many_tasks_name_balance_and_limit(shop: Wire) -> None:
    caller = customer(shop, 25.999)
    shop.run(caller=caller)
    shop.run(caller=caller)

    assert refusal(shop, caller) == (
        200,
        96,
        "You have reached your concurrent task limit. With your current balance of $25.99, you can run up to"
        " 2 tasks at the same time. Add funds to increase your limit.",
    )


def test_the_own_limit_of_a_project_is_asked_last(shop: Wire) -> None:
    caller = customer(shop, 100, max_concurrent=1)
    shop.run(caller=caller)

    assert refusal(shop, caller) == (200, 96, "You have reached your concurrent task limit of 1.")


def test_wrong_inputs_are_told_before_the_balance_is_looked_at(shop: Wire) -> None:
    assert refusal(shop, customer(shop, 0), {"prompt": "a kite", "width": 1000})[1] == 0


def test_parallel_runs_never_exceed_the_limit(shop: Wire) -> None:
    caller = customer(shop, 55)

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: shop.post(RUN, PROMPT, caller=caller).json(), range(16)))

    assert [answer["result"] for answer in answers].count(True) == 5
    assert has(shop, caller).available >= 0
    assert_books_agree(shop)


def test_another_accounts_project_does_not_pay(shop: Wire) -> None:
    rich, poor = customer(shop, 100), customer(shop, 0)

    refused = refusal(shop, poor, PROMPT | {"projectid": str(rich.project.id)})

    assert refused == (200, 0, "You don't have any permission for this action.")


# Charges


def test_a_run_costs_what_its_task_shows(shop: Wire) -> None:
    caller = customer(shop, 1)
    ran = shop.run(caller=caller)
    assert 0 < has(shop, caller).reserved < DOLLAR // 10

    task = shop.finish(ran, caller=caller)

    assert has(shop, caller) == Wallet(balance=DOLLAR - cost_of(task), reserved=0)
    assert Decimal(task["totalcost"]) == Decimal(task["elapsedseconds"]) * CPS
    assert_books_agree(shop)


def test_a_sibling_pays_and_the_task_stays_the_callers(shop: Wire) -> None:
    caller = customer(shop, 1)
    sibling = shop.project(of=caller)

    ran = shop.run(caller=caller, projectid=str(sibling.project.id))
    task = shop.finish(ran, caller=caller)

    assert has(shop, sibling).balance == DOLLAR - cost_of(task)
    assert shop.post("/v1/Task/Detail", {"taskid": ran["taskid"]}, caller=sibling).json()["result"] is False


@pytest.mark.parametrize("way", ["Cancel", "Kill"])
def test_a_cancelled_task_gives_everything_back(shop: Wire, way: str) -> None:
    caller = customer(shop, 1)
    ran = shop.run(caller=caller)

    assert shop.post(f"/v1/Task/{way}", {"taskid": ran["taskid"]}, caller=caller).json()["result"] is True

    assert has(shop, caller) == Wallet(balance=DOLLAR, reserved=0)


def test_where_nothing_is_charged_no_balance_is_needed(wire: Wire) -> None:
    caller = wire.project()

    task = wire.finish(wire.run(caller=caller), caller=caller)

    assert Decimal(task["totalcost"]) > 0
    assert has(wire, caller) == Wallet(balance=0, reserved=0)


# Quotes


@pytest.mark.parametrize("path", [f"{RUN}?quote=1", f"{RUN}?quote=true", f"{RUN}/sync?quote=1"])
def test_a_quote_tells_what_a_run_should_cost_and_runs_nothing(shop: Wire, path: str) -> None:
    caller = customer(shop, 0)

    answer = shop.post(path, PROMPT, caller=caller).json()

    quoted = answer.pop("quote")
    assert answer == {"result": True, "errors": []}
    assert quoted["cps"] == "0.000585000000"
    assert Decimal(quoted["totalcost"]) == Decimal(quoted["elapsedseconds"]) * CPS
    assert len(quoted["elapsedseconds"].partition(".")[2]) == 4
    assert len(quoted["totalcost"].partition(".")[2]) == 12
    assert shop.post("/v1/Task/List", caller=caller).json()["total"] == "0"


@pytest.mark.parametrize("asked", ["quote=yes", "quote=2", "quote=1&quote=0"])
def test_a_quote_that_is_neither_on_nor_off_runs_nothing(shop: Wire, asked: str) -> None:
    caller = customer(shop, 100)

    answer = shop.post(f"{RUN}?{asked}", PROMPT, caller=caller).json()

    assert answer["errors"] == [{"code": 0, "message": "Request parameters are invalid."}]
    assert shop.post("/v1/Task/List", caller=caller).json()["total"] == "0"


def test_a_smaller_picture_is_quoted_cheaper(shop: Wire) -> None:
    caller = customer(shop, 0)

    def seconds(**inputs: int) -> Decimal:
        answer = shop.post(f"{RUN}?quote=1", PROMPT | inputs, caller=caller).json()
        return Decimal(answer["quote"]["elapsedseconds"])

    assert seconds(width=256, height=256) < seconds() < seconds(width=2048, height=2048)


def test_a_quote_checks_what_a_run_checks(shop: Wire) -> None:
    rich, caller = customer(shop, 100), customer(shop, 0)
    quote = f"{RUN}?quote=1"

    assert refusal(shop, caller, {"prompt": "a kite", "steps": 51}, quote)[2].startswith("Request parameter")
    assert refusal(shop, caller, {"width": 64}, quote)[2] == "Request parameter [prompt] required"
    assert refusal(shop, caller, PROMPT | {"projectid": str(rich.project.id)}, quote)[1] == 0
    assert shop.http.post(quote, json=PROMPT).status_code == 401
    assert shop.post("/v1/Run/no/model?quote=1", PROMPT, caller=caller).json()["errors"][0]["code"] == 1


@pytest.mark.parametrize("query", ["", "?quote=0", "?quote=", "?quote=false"])
def test_without_asking_for_a_quote_a_run_is_a_run(wire: Wire, query: str) -> None:
    assert "taskid" in wire.post(RUN + query, PROMPT).json()


def test_a_quote_follows_what_runs_take(tmp_path: Path) -> None:
    with start_wire(tmp_path) as fresh:
        fresh.finish(fresh.run())  # at once

        answer = fresh.post(f"{RUN}?quote=1", PROMPT).json()

    assert Decimal(answer["quote"]["elapsedseconds"]) < 5  # and not the 11.5 s of the prior


# Who may run


def test_a_suspended_project_runs_nothing_and_sees_its_tasks(wire: Wire) -> None:
    caller = wire.project()
    ran = wire.run(caller=caller)
    wire.write(lambda connection: project_changes.change_project(connection, caller.project, suspended=True))

    refused = until_refused(wire, caller)

    assert refused[1:] == (
        0,
        "Your project has been suspended. Please contact support if you believe this is a mistake.",
    )
    assert refusal(wire, caller, PROMPT, f"{RUN}?quote=1") == refused
    assert wire.detail(ran, caller=caller)["status"] == "task_queue"


def test_an_old_key_and_secret_count_until_they_expire(wire: Wire) -> None:
    caller = wire.project()
    for_long, for_nothing = now() + 3600 * 10**6, now()

    def rotate(connection: Any) -> tuple[Caller, Caller]:
        by_key = project_changes.rotate_key(
            connection, wire.service.vault, caller.project, old_until=for_long, now=now()
        )
        rotated, secret = project_changes.rotate_secret(
            connection, wire.service.vault, by_key, old_until=for_long, now=now()
        )
        return Caller(by_key, caller.secret), Caller(rotated, secret)

    overlapping = wire.write(rotate)
    for each in (caller, *overlapping):
        assert wire.post("/v1/Task/List", caller=each).status_code == 200

    wire.write(
        lambda connection: project_changes.rotate_key(
            connection, wire.service.vault, overlapping[1].project, old_until=for_nothing, now=now()
        )
    )
    for each in (caller, *overlapping):
        until_unauthorized(wire, each)


def test_a_bearer_is_told_whether_its_session_is_over(wire: Wire) -> None:
    desk = wire.service.accounts
    account = wire.write(lambda connection: accounts.create_account(connection, name="bearer", now=now()))
    wire.do(desk.set_password(account, "a kite over the sea"))
    session = wire.do(desk.sign_in("bearer", "a kite over the sea", address="192.0.2.1"))

    assert bearer(wire, session.token) == (401, 99, "Authorization bearer token is invalid.")
    wire.write(
        lambda connection: connection.exec_driver_sql(
            f"UPDATE sessions SET expire_time = {now()} WHERE account_id = {account.id}"
        )
    )
    assert bearer(wire, session.token) == (401, 99, "Authorization bearer token expired.")
    assert bearer(wire, "nobody's") == (401, 99, "Authorization bearer token is invalid.")


def bearer(wire: Wire, token: str) -> tuple[int, int, str]:
    response = wire.http.post(RUN, json=PROMPT, headers={"authorization": f"Bearer {token}"})
    (error,) = response.json()["errors"]
    return response.status_code, error["code"], error["message"]


def cost_of(task: dict[str, Any]) -> int:
    return int(Decimal(task["totalcost"]) * DOLLAR)


def until_refused(wire: Wire, caller: Caller) -> tuple[int, int, str]:
    """The refusal of a Run, once the server has noticed the change."""
    quote = f"{RUN}?quote=1"
    until(
        lambda: not wire.post(quote, PROMPT, caller=caller).json()["result"],
        within=10,
        what="the change to be noticed",
    )
    return refusal(wire, caller)


def until_unauthorized(wire: Wire, caller: Caller) -> None:
    until(
        lambda: wire.post("/v1/Task/List", caller=caller).status_code == 401,
        within=10,
        what="the key to be refused",
    )
