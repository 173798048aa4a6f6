"""The secrets that sign callbacks: one for good, others beside it while they run out, all of them sealed."""

import asyncio
import base64

import pytest

from conformance.storekeeper import SECOND, Storekeeper
from tintype.domain.errors import BadSetting
from tintype.storage import callback_secrets, callbacks

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]

HOUR = 3600


class Secrets:
    """Those of the first project, or of another."""

    def __init__(self, store: Storekeeper) -> None:
        self.store = store

    async def signing(self, project_id: int | None = None) -> list[str]:
        owner = project_id or self.store.project.id
        return await self.store.database.write(
            lambda c: callback_secrets.signing(c, self.store.vault, owner, now=self.store.now)
        )

    async def current(self) -> str:
        owner, now = self.store.project.id, self.store.now
        return await self.store.database.write(
            lambda c: callback_secrets.current(c, self.store.vault, owner, now=now)
        )

    async def rotate(self, *, hours: float) -> str:
        owner, now = self.store.project.id, self.store.now
        overlap = round(hours * HOUR * SECOND)
        return await self.store.database.write(
            lambda c: callback_secrets.rotate(c, self.store.vault, owner, now=now, overlap=overlap)
        )


@pytest.fixture
def secrets(store: Storekeeper) -> Secrets:
    return Secrets(store)


async def test_a_project_gets_its_secret_when_it_is_first_needed(secrets: Secrets) -> None:
    secret = await secrets.current()

    assert secret.startswith("whsec_")
    assert len(base64.b64decode(secret.removeprefix("whsec_"), validate=True)) == 32
    assert await secrets.signing() == [secret] == [await secrets.current()]


async def test_all_who_need_it_first_at_once_get_the_same(secrets: Secrets) -> None:
    found = await asyncio.gather(*(secrets.current() for _ in range(8)))

    assert len(set(found)) == 1


async def test_each_project_has_its_own(store: Storekeeper, secrets: Secrets) -> None:
    other = await store.open_project("other")

    assert await secrets.signing() != await secrets.signing(other.id)


async def test_the_old_secret_signs_beside_the_new_one_for_a_while(
    store: Storekeeper, secrets: Secrets
) -> None:
    old = await secrets.current()

    new = await secrets.rotate(hours=24)

    assert await secrets.signing() == [new, old]
    assert await secrets.current() == new != old
    store.pass_time(24 * HOUR)
    assert await secrets.signing() == [new]


async def test_several_rotations_overlap(store: Storekeeper, secrets: Secrets) -> None:
    first = await secrets.current()
    second = await secrets.rotate(hours=2)
    store.pass_time(HOUR)
    third = await secrets.rotate(hours=2)

    assert await secrets.signing() == [third, second, first]
    store.pass_time(HOUR)
    assert await secrets.signing() == [third, second]


async def test_a_leaked_secret_is_replaced_at_once(secrets: Secrets) -> None:
    await secrets.current()

    new = await secrets.rotate(hours=0)

    assert await secrets.signing() == [new]


async def test_the_first_rotation_of_a_project_that_had_no_secret(secrets: Secrets) -> None:
    new = await secrets.rotate(hours=0)

    assert await secrets.signing() == [new]


async def test_expired_secrets_are_swept(store: Storekeeper, secrets: Secrets) -> None:
    await secrets.current()
    new = await secrets.rotate(hours=1)
    store.pass_time(HOUR)

    await store.database.write(lambda c: callbacks.sweep(c, now=store.now))

    assert len(await store.rows("callback_secrets")) == 1
    assert await secrets.signing() == [new]


async def test_the_stored_secret_is_sealed_and_bound_to_its_project(
    store: Storekeeper, secrets: Secrets
) -> None:
    secret = await secrets.current()
    other = await store.open_project("other")

    [row] = await store.rows("callback_secrets")
    assert secret.encode() not in row.sealed_secret
    await store.database.write(
        lambda c: c.exec_driver_sql(f"UPDATE callback_secrets SET project_id = {other.id}")
    )
    with pytest.raises(BadSetting):
        await secrets.signing(other.id)
