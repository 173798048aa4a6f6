"""Folders of uploads, and objects that belong to no file."""

import asyncio

import pytest
from sqlalchemy.exc import IntegrityError

from conformance.storekeeper import SECOND, Storekeeper, picture
from tintype.domain.errors import NotPermitted
from tintype.domain.folder import TOP, Folder
from tintype.domain.task import File
from tintype.storage import files, folders, loose

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]


async def make(store: Storekeeper, name: str, *, parent: str = TOP, account: int = 0) -> Folder:
    account = account or store.project.account.id
    return await store.database.write(
        lambda c: folders.ensure(c, account_id=account, parent=parent, name=name, now=store.now)
    )


async def announce(store: Storekeeper, *keys: str) -> None:
    await store.database.write(lambda c: loose.announce(c, keys, now=store.now))


async def give_up(store: Storekeeper, *keys: str) -> list[str]:
    return await store.database.write(lambda c: loose.give_up(c, keys))


async def doom_old(store: Storekeeper, *, seconds: int, limit: int = 100) -> list[str]:
    before = store.now - seconds * SECOND
    return await store.database.write(lambda c: loose.doom_old(c, before=before, limit=limit))


async def loose_keys(store: Storekeeper) -> set[str]:
    return {row.object_key for row in await store.rows("loose_objects")}


async def test_a_folder_is_made_once_in_each_place(store: Storekeeper) -> None:
    made = await asyncio.gather(*(make(store, "summer") for _ in range(5)))

    assert len({folder.id for folder in made}) == 1
    assert (await make(store, "summer", parent=made[0].id)).parent == made[0].id
    assert len(await store.rows("folders")) == 2


async def test_a_folder_belongs_to_its_account(store: Storekeeper) -> None:
    other = await store.open_project("other", account="other")
    theirs = await make(store, "summer", account=other.account.id)

    mine = await make(store, "summer")

    assert mine.id != theirs.id
    for place in (theirs.id, "f" * 32, "a\x00b", "' OR 1"):
        with pytest.raises(NotPermitted):
            await make(store, "inner", parent=place)


async def test_no_folder_lies_in_itself(store: Storekeeper) -> None:
    folder = await make(store, "summer")

    with pytest.raises(IntegrityError, match="parent"):
        await store.database.write(
            lambda c: c.exec_driver_sql(f"UPDATE folders SET parent = id WHERE id = '{folder.id}'")
        )


async def test_an_announced_object_is_taken_with_its_file_or_not_at_all(store: Storekeeper) -> None:
    file = picture()

    def take(connection, *, fail: bool) -> None:  # type: ignore[no-untyped-def]
        loose.take(connection, [file.object_key])
        files.add(connection, file, project_id=store.project.id, role="upload")
        if fail:
            raise RuntimeError("a broken transaction")

    await announce(store, file.object_key)
    with pytest.raises(RuntimeError):
        await store.database.write(lambda c: take(c, fail=True))
    assert await loose_keys(store) == {file.object_key}
    await store.database.write(lambda c: take(c, fail=False))

    assert await loose_keys(store) == set()
    assert await give_up(store, file.object_key) == []
    found = await store.database.read(lambda c: files.by_access_key(c, file.access_key))
    assert found == file


async def test_an_object_that_was_given_up_is_never_taken(store: Storekeeper) -> None:
    await announce(store, "a", "b")

    assert await give_up(store, "a", "never announced") == ["a"]
    for keys in (["a"], ["a", "b"], ["b", "c"]):
        with pytest.raises(LookupError):
            await store.database.write(lambda c, keys=keys: loose.take(c, keys))  # type: ignore[misc]

    assert await loose_keys(store) == {"a", "b"}


async def test_old_loose_objects_are_doomed_oldest_first(store: Storekeeper) -> None:
    for key in ("a", "b", "c"):
        await announce(store, key)
        store.pass_time(10)

    assert await doom_old(store, seconds=15) == ["a", "b"]
    assert await doom_old(store, seconds=5, limit=2) == ["a", "b"]  # until their bytes are gone
    await store.database.write(lambda c: loose.forget(c, ["a", "b", "c"]))

    assert await loose_keys(store) == {"c"}  # which nobody has doomed


async def test_the_files_of_a_task_are_doomed_with_their_task(store: Storekeeper) -> None:
    task = await store.finished()
    given = File(**{**picture_fields(), "object_key": "inputs/a.png"})
    await store.database.write(
        lambda c: files.add(c, given, project_id=store.project.id, role="input", task_id=task.id)
    )
    (output,) = task.outputs

    keys = await store.forget_files(task)

    assert set(keys) == {given.object_key, output.object_key}
    assert await loose_keys(store) == set(keys)
    assert await store.forget_files(task) == keys  # again, should the first time have been interrupted
    for file in (given, output):
        assert await store.database.read(lambda c, key=file.access_key: files.by_access_key(c, key)) is None  # type: ignore[misc]


def picture_fields() -> dict[str, object]:
    file = picture()
    return {name: getattr(file, name) for name in file.__struct_fields__}
