"""What a task costs where that does not hang on its seconds: settled at its end, foreseen at its start."""

import msgspec
import pytest

from conformance.storekeeper import CPS, DAWN, Storekeeper, failure, picture, success
from tintype.domain.errors import InsufficientBalance
from tintype.domain.money import PICODOLLARS
from tintype.domain.tariff import TIER, Charge, Method
from tintype.storage import wallet

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]

PER_RUN = Charge(method=Method.RUN, price=3 * PICODOLLARS)
PER_OUTPUT = Charge(method=Method.OUTPUT, price=PICODOLLARS)
PER_PIXEL = Charge(method=Method.PIXEL, price=5, extra=2, input=1, pictures=3)


@pytest.mark.parametrize(
    ("charge", "cost"),
    [(PER_RUN, 3 * PICODOLLARS), (PER_OUTPUT, 2 * PICODOLLARS), (PER_PIXEL, 13), (None, 6 * CPS)],
)
async def test_a_task_costs_what_it_is_charged_by(
    store: Storekeeper, charge: Charge | None, cost: int
) -> None:
    task = await store.claimed(charge=charge)
    store.pass_time(6)
    drawn = success(picture(0), picture(1, folder="f" * 32))

    done = await store.finish(task.lease, msgspec.structs.replace(drawn, pixels=TIER + 1))

    assert task.charge == charge == (await store.find(done)).charge
    assert done.total_cost == cost == await store.charged(store.project)


async def test_failure_is_free_whatever_the_charge(store: Storekeeper) -> None:
    task = await store.claimed(charge=PER_RUN)

    done = await store.finish(task.lease, failure())

    assert (done.total_cost, await store.charged(store.project)) == (0, 0)


async def test_a_handed_back_task_keeps_its_charge(store: Storekeeper) -> None:
    task = await store.claimed(charge=PER_PIXEL)

    await store.hand_back(task.lease)

    (again,) = await store.claim()
    assert again.charge == PER_PIXEL


async def test_what_a_run_will_cost_by_its_charge_is_put_aside_and_paid(store: Storekeeper) -> None:
    account = store.project.account.id
    paying = {"paying_account_id": account, "charge": PER_RUN, "expected_charge": 3 * PICODOLLARS}
    await store.database.write(lambda c: wallet.top_up(c, account, 5 * PICODOLLARS, now=DAWN))
    with pytest.raises(InsufficientBalance):
        await store.submit(**{**paying, "expected_charge": 6 * PICODOLLARS})

    task = await store.claimed(**paying)
    held = await store.database.read(lambda c: wallet.wallet_of(c, account))
    await store.finish(task.lease)

    paid = await store.database.read(lambda c: wallet.wallet_of(c, account))
    assert (held.balance, held.reserved) == (5 * PICODOLLARS, 3 * PICODOLLARS)
    assert (paid.balance, paid.reserved) == (2 * PICODOLLARS, 0)
