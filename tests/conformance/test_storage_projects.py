"""Projects: found by their keys, with secrets that only the vault opens."""

import pytest
from sqlalchemy.exc import IntegrityError

from conformance.storekeeper import DAWN, Storekeeper
from tintype.domain.errors import BadSetting, UnfitAccount, UnfitProject
from tintype.domain.project import Auth, Project
from tintype.storage import accounts, projects
from tintype.storage.vault import Vault

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]


async def create(store: Storekeeper, name: str, **fields: object) -> tuple[Project, str]:
    def change(connection):  # type: ignore[no-untyped-def]
        account = accounts.ensure_account(connection, name="default", now=store.now)
        given = {"name": name, "auth": Auth.SIGNATURE, "now": store.now, **fields}
        return projects.create_project(connection, store.vault, account=account, **given)

    created: tuple[Project, str] = await store.database.write(change)
    return created


async def by_key(store: Storekeeper, key: str) -> tuple[Project, tuple[str, ...]] | None:
    return await store.database.read(
        lambda connection: projects.by_key(connection, store.vault, key, now=store.now)
    )


async def test_a_project_is_found_by_its_key_with_its_secret(store: Storekeeper) -> None:
    project, secret = await create(store, "gallery")

    assert await by_key(store, project.key) == (project, (secret,))


async def test_a_project_is_found_by_name_and_id(store: Storekeeper) -> None:
    project, secret = await create(store, "gallery")

    read = store.database.read
    assert await read(lambda connection: projects.by_name(connection, "gallery")) == project
    assert await read(lambda connection: projects.by_id(connection, project.id)) == project
    assert await read(projects.all_projects) == [store.project, project]
    assert await read(lambda connection: projects.secret_of(connection, store.vault, project.id)) == secret


async def test_what_a_project_may_is_kept(store: Storekeeper) -> None:
    project, _ = await create(
        store, "gallery", allowed_addresses=("10.0.0.0/8", "::1"), max_concurrent=3, weight=2.5
    )

    assert (project.allowed_addresses, project.max_concurrent) == (("10.0.0.0/8", "::1"), 3)
    assert (project.weight, project.created, project.auth) == (2.5, DAWN, Auth.SIGNATURE)
    assert project.account.name == "default"


async def test_key_and_secret_may_be_given(store: Storekeeper) -> None:
    project, secret = await create(store, "gallery", key="key", secret="secret")

    assert (project.key, secret) == ("key", "secret")
    assert await by_key(store, "key") == (project, ("secret",))


async def test_random_keys_and_secrets_differ(store: Storekeeper) -> None:
    (one, first), (other, second) = await create(store, "one"), await create(store, "other")

    assert len({one.key, other.key, first, second}) == 4


@pytest.mark.parametrize("fields", [{"name": "first"}, {"name": "other", "key": "taken"}])
async def test_a_taken_name_or_key_is_refused(store: Storekeeper, fields: dict[str, str]) -> None:
    await create(store, "holder", key="taken")

    with pytest.raises(UnfitProject, match="already"):
        await create(store, **fields)


async def test_a_weird_key_is_nobodys(store: Storekeeper) -> None:
    for key in ("", "nobody", "\x00", "\ud800", "k" * 100_000, "ключ", " "):
        assert await by_key(store, key) is None


async def test_what_does_not_exist_is_none(store: Storekeeper) -> None:
    read = store.database.read

    assert await read(lambda connection: projects.by_name(connection, "nobody")) is None
    assert await read(lambda connection: projects.by_id(connection, 404)) is None
    assert await read(lambda connection: projects.by_id(connection, 2**70)) is None
    assert await read(lambda connection: projects.secret_of(connection, store.vault, 404)) is None


async def test_the_stored_secret_is_sealed(store: Storekeeper) -> None:
    await create(store, "gallery", secret="plain for all to see")

    for row in await store.rows("projects"):
        assert b"plain for all to see" not in row.sealed_secret
        assert "plain for all to see" not in repr(row)


async def test_a_secret_moved_to_another_project_does_not_open(store: Storekeeper) -> None:
    victim, _ = await create(store, "victim")
    await create(store, "thief", key="thief")

    await store.database.write(
        lambda connection: connection.exec_driver_sql(
            "UPDATE projects SET sealed_secret ="
            f" (SELECT sealed_secret FROM projects WHERE id = {victim.id}) WHERE name = 'thief'"
        )
    )

    with pytest.raises(BadSetting):
        await by_key(store, "thief")


async def test_the_vault_of_another_database_is_told_at_the_start(store: Storekeeper) -> None:
    check = projects.check_vault

    await store.database.read(lambda connection: check(connection, store.vault))
    with pytest.raises(BadSetting, match="belongs to another database"):
        await store.database.read(lambda connection: check(connection, Vault(b"x" * 32)))


async def test_projects_of_one_account_may_pay_for_each_other(store: Storekeeper) -> None:
    sibling = await store.open_project("sibling")
    stranger = await store.open_project("stranger", account="someone else")

    def may(one: int, other: int) -> object:
        return store.database.read(lambda connection: projects.share_an_account(connection, one, other))

    first = store.project.id
    assert await may(first, sibling.id)
    assert await may(first, first)
    assert not await may(first, stranger.id)
    assert not await may(first, 404)
    assert not await may(404, 404)
    assert not await may(first, 2**70)


async def test_an_account_is_suspended_and_readmitted(store: Storekeeper) -> None:
    account = store.project.account

    for suspended in (True, False):
        await store.database.write(
            lambda connection, to=suspended: accounts.suspend_account(connection, account.id, suspended=to)
        )
        found = await by_key(store, store.project.key)

        assert found is not None
        assert found[0].account.suspended is suspended


async def test_an_account_is_created_once(store: Storekeeper) -> None:
    def create_account(connection):  # type: ignore[no-untyped-def]
        return accounts.create_account(connection, name="studio", now=store.now)

    account = await store.database.write(create_account)

    assert account.name == "studio"
    with pytest.raises(UnfitAccount, match="already"):
        await store.database.write(create_account)


async def test_an_error_of_the_database_shows_no_values(store: Storekeeper) -> None:
    task = await store.submit()

    with pytest.raises(IntegrityError) as refused:
        await store.submit(token=task.token, inputs={"prompt": "between us"})

    assert "between us" not in str(refused.value)
