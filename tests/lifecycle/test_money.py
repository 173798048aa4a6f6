"""Money survives what processes do not: every task is paid once, and nothing stays put aside."""

import json
from decimal import Decimal
from pathlib import Path

import pytest

from cli.commands import tintype
from lifecycle.books import Books, assert_each_ended_once
from serving import ServedTask, start_server, until
from tintype_client import Refused

pytestmark = pytest.mark.timeout(240)

CAPITAL = Decimal(300)


def test_a_crash_neither_loses_nor_makes_money(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with start_server(data, weights="blank:", wallet="on") as server:
        with pytest.raises(Refused, match="Insufficient balance"):
            server.run()
        tintype("account", "top-up", "default", str(CAPITAL), cwd=tmp_path, data="data")
        accepted = [server.run(width=2048, height=2048, seed=number) for number in range(12)]
        server.crash()

    with start_server(data, weights="blank:", wallet="off") as server:
        until(lambda: not Books(data).unfinished(), within=60, what="every task to end")

        account = json.loads(
            tintype("account", "show", "default", "--json", cwd=tmp_path, data="data").stdout
        )
        audit = tintype("account", "audit", cwd=tmp_path, data="data")
        accepted = [ServedTask(server, id=task.id, token=task.token) for task in accepted]
        assert_each_ended_once(server, accepted)
        costs = sum(task.detail().total_cost for task in accepted)

    assert audit.returncode == 0, audit.stderr
    assert account["reserved"] == "$0.00"
    assert Decimal(account["balance"].removeprefix("$")) == CAPITAL - costs
    assert costs > 0
