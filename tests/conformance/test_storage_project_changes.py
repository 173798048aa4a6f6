"""Changing projects: new keys and secrets beside the old ones for a while, limits and lists of addresses."""

import pytest
from sqlalchemy import Connection

from conformance.storekeeper import SECOND, Storekeeper
from tintype.domain.errors import UnfitProject
from tintype.domain.priority import Priority
from tintype.domain.project import Project
from tintype.storage import project_changes, projects

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]

HOUR = 3600 * SECOND


async def by_key(store: Storekeeper, key: str) -> tuple[Project, tuple[str, ...]] | None:
    return await store.database.read(
        lambda connection: projects.by_key(connection, store.vault, key, now=store.now)
    )


async def secret_of(store: Storekeeper) -> str:
    found = await by_key(store, store.project.key)
    assert found is not None
    return found[1][0]


async def rotate_key(store: Storekeeper, *, overlap: int = HOUR) -> Project:
    def rotate(connection: Connection) -> Project:
        current = projects.by_id(connection, store.project.id)
        assert current is not None
        return project_changes.rotate_key(
            connection, store.vault, current, old_until=store.now + overlap, now=store.now
        )

    return await store.database.write(rotate)


async def rotate_secret(store: Storekeeper, *, overlap: int = HOUR) -> tuple[Project, str]:
    return await store.database.write(
        lambda connection: project_changes.rotate_secret(
            connection, store.vault, store.project, old_until=store.now + overlap, now=store.now
        )
    )


async def test_a_new_key_and_the_old_one_both_count_for_a_while(store: Storekeeper) -> None:
    secret = await secret_of(store)

    changed = await rotate_key(store)

    assert changed.key != store.project.key
    assert await by_key(store, changed.key) == (changed, (secret,))
    assert await by_key(store, store.project.key) == (changed, (secret,))
    store.now += HOUR
    assert await by_key(store, store.project.key) is None
    assert await by_key(store, changed.key) == (changed, (secret,))


async def test_a_key_replaced_without_overlap_counts_no_longer(store: Storekeeper) -> None:
    changed = await rotate_key(store, overlap=0)

    assert await by_key(store, store.project.key) is None
    assert await by_key(store, changed.key) is not None


async def test_a_new_secret_and_the_old_one_both_count_for_a_while(store: Storekeeper) -> None:
    old = await secret_of(store)

    changed, new = await rotate_secret(store)

    assert changed.key == store.project.key
    assert await by_key(store, changed.key) == (changed, (new, old))
    store.now += HOUR
    assert await by_key(store, changed.key) == (changed, (new,))


async def test_a_later_rotation_without_overlap_ends_the_earlier_overlap(store: Storekeeper) -> None:
    first = await rotate_key(store)
    second = await rotate_key(store, overlap=0)

    assert await by_key(store, store.project.key) is None
    assert await by_key(store, first.key) is None
    assert await by_key(store, second.key) is not None


async def test_a_new_secret_is_not_for_the_old_key(store: Storekeeper) -> None:
    old = await secret_of(store)
    changed = await rotate_key(store)
    _, new = await rotate_secret(store)

    assert await by_key(store, store.project.key) == (changed, (old,))
    assert await by_key(store, changed.key) == (changed, (new, old))


async def test_a_retired_key_is_not_given_to_another_project(store: Storekeeper) -> None:
    await rotate_key(store)

    with pytest.raises(UnfitProject, match="already"):
        await store.open_project("thief", key=store.project.key)


async def test_retired_credentials_are_sealed_and_swept_away(store: Storekeeper) -> None:
    secret = await secret_of(store)
    await rotate_key(store)
    assert all(secret.encode() not in row.sealed_secret for row in await store.rows("retired_credentials"))

    store.now += HOUR
    await rotate_key(store, overlap=0)

    assert await store.rows("retired_credentials") == []


async def change(store: Storekeeper, **changes: object) -> Project:
    return await store.database.write(
        lambda connection: project_changes.change_project(connection, store.project, **changes)  # type: ignore[arg-type]
    )


async def test_what_is_changed_is_changed_and_the_rest_stays(store: Storekeeper) -> None:
    changed = await change(
        store, name="gallery", weight=2.5, max_concurrent=3, allowed_addresses=["10.0.0.0/8", "::1"]
    )

    assert (changed.name, changed.weight, changed.max_concurrent) == ("gallery", 2.5, 3)
    assert changed.allowed_addresses == ("10.0.0.0/8", "::1")
    assert (changed.key, changed.auth, changed.id) == (
        store.project.key,
        store.project.auth,
        store.project.id,
    )
    assert await change(store, max_concurrent=None) != changed
    assert (await change(store, suspended=True)).suspended
    assert (await change(store, priority=Priority.LOW)).priority is Priority.LOW


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"name": "second"}, "there is one of this name already"),
        ({"name": " "}, "a name has 1 to 200 printable characters"),
        ({"name": "a\nb"}, "a name has"),
        ({"weight": 0.0}, "a weight is a number from 0.001 to 1000, not 0"),
        ({"weight": float("nan")}, "a weight is a number"),
        ({"max_concurrent": -1}, "a limit of tasks is from 0"),
        ({"allowed_addresses": ["10.0.0.300"]}, "'10.0.0.300' is no IP address or network"),
        ({"allowed_addresses": ["example.org"]}, "'example.org' is no IP address or network"),
        ({"allowed_addresses": ["10.1.2.3/8"]}, "names a host in a network; write 10.0.0.0/8 or 10.1.2.3"),
        ({"allowed_addresses": ["10.0.0.1"] * 1001}, "at most 1000 addresses"),
    ],
)
async def test_what_makes_no_sense_is_refused(
    store: Storekeeper, changes: dict[str, object], problem: str
) -> None:
    await store.open_project("second")

    with pytest.raises(UnfitProject, match=problem):
        await change(store, **changes)


async def test_addresses_are_kept_in_their_usual_spelling(store: Storekeeper) -> None:
    changed = await change(
        store, allowed_addresses=[" 192.0.2.7 ", "2001:DB8::0/32", "::ffff:192.0.2.7", "192.0.2.7"]
    )

    assert changed.allowed_addresses == ("192.0.2.7", "2001:db8::/32")
