"""What a project says of moderation, on every database."""

import pytest
from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError

from conformance.storekeeper import Storekeeper
from tintype.moderation.policy import Policy, read_policy
from tintype.storage import moderation, tables

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]


async def say(store: Storekeeper, project_id: int, text: str) -> None:
    await store.database.write(
        lambda connection: moderation.set_policy(connection, project_id, read_policy(text))
    )


async def test_a_project_says_nothing_at_first(store: Storekeeper) -> None:
    said = await store.database.read(lambda c: moderation.policy_of(c, store.project.id))

    assert said == Policy()


async def test_the_last_word_of_a_project_counts(store: Storekeeper) -> None:
    other = await store.open_project("other")

    await say(store, store.project.id, "off")
    await say(store, store.project.id, "prompt=off,image=2")
    await say(store, other.id, "0")

    ids = [store.project.id, other.id, other.id + 1]
    said = await store.database.read(lambda c: moderation.policies(c, ids))
    assert said == {store.project.id: Policy(prompt="off", image="2"), other.id: read_policy("0")}
    assert await store.database.read(lambda c: moderation.policies(c, [])) == {}


async def test_a_word_can_be_taken_back(store: Storekeeper) -> None:
    await say(store, store.project.id, "off")

    await say(store, store.project.id, "default")

    assert await store.database.read(lambda c: moderation.policies(c, [store.project.id])) == {}


async def test_the_database_refuses_a_word_that_means_nothing(store: Storekeeper) -> None:
    row = {"project_id": store.project.id, "prompt": "7", "input": "", "image": ""}

    with pytest.raises(IntegrityError):
        await store.database.write(lambda c: c.execute(insert(tables.moderation), row))
