"""How much may be kept, whoever asks at once."""

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace

from conformance.storekeeper import Storekeeper, picture
from tintype.domain.errors import FolderLimit, TintypeError, UploadLimit
from tintype.domain.folder import TOP
from tintype.domain.quota import MIB, UNLIMITED, Quota
from tintype.storage import files, folders, quotas

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]


async def keep(store: Storekeeper, quota: Quota, *, size: int = 1, project: int = 0) -> None:
    file = replace(picture(), size=size)
    owner = project or store.project.id

    def add(connection: Any) -> None:
        quotas.hold(connection, quota, project_id=owner)
        quotas.demand_upload(connection, quota, project_id=owner, size=size)
        files.add(connection, file, project_id=owner, role="upload")

    await store.database.write(add)


async def make(store: Storekeeper, quota: Quota, name: str, *, account: int = 0) -> None:
    owner = account or store.project.account.id
    await store.database.write(
        lambda c: folders.ensure(c, account_id=owner, parent=TOP, name=name, now=store.now, quota=quota)
    )


async def at_once(*asked: Any) -> list[str]:
    """What was refused, in words."""
    outcomes = await asyncio.gather(*asked, return_exceptions=True)
    refused = [outcome for outcome in outcomes if outcome is not None]
    assert all(isinstance(problem, TintypeError) for problem in refused), refused
    return [str(problem) for problem in refused]


async def test_no_more_files_are_kept_than_may_be(store: Storekeeper) -> None:
    quota = Quota(uploads=3)

    refused = await at_once(*(keep(store, quota) for _ in range(8)))

    assert refused == ["You have reached your upload limit of 3 files."] * 5
    assert len(await store.rows("files")) == 3


async def test_no_more_bytes_are_kept_than_may_be(store: Storekeeper) -> None:
    quota = Quota(upload_bytes=2 * MIB)
    await keep(store, quota, size=MIB)

    with pytest.raises(UploadLimit, match=r"your upload limit of 2 MiB\."):
        await keep(store, quota, size=MIB + 1)
    await keep(store, quota, size=MIB)
    with pytest.raises(UploadLimit):
        await keep(store, quota, size=1)


async def test_each_project_has_the_whole_limit_and_inputs_do_not_count(store: Storekeeper) -> None:
    quota = Quota(uploads=1, upload_bytes=10)
    other = await store.open_project("other")
    await store.database.write(
        lambda c: files.add(c, replace(picture(), size=99), project_id=store.project.id, role="input")
    )

    await keep(store, quota, size=10)
    await keep(store, quota, size=10, project=other.id)

    with pytest.raises(UploadLimit):
        await keep(store, quota)


async def test_no_more_folders_are_made_than_may_be(store: Storekeeper) -> None:
    quota = Quota(folders=2)
    other = await store.open_project("other", account="other")

    refused = await at_once(*(make(store, quota, f"folder{number}") for number in range(6)))

    assert refused == ["You have reached your folder limit of 2."] * 4
    await make(store, quota, "theirs", account=other.account.id)
    known = [row.name for row in await store.rows("folders") if row.account_id == store.project.account.id]
    await make(store, quota, known[0])
    with pytest.raises(FolderLimit):
        await make(store, quota, "another")


async def test_without_a_limit_there_is_none(store: Storekeeper) -> None:
    for number in range(5):
        await keep(store, UNLIMITED, size=MIB)
        await make(store, UNLIMITED, f"folder{number}")

    assert len(await store.rows("files")) == len(await store.rows("folders")) == 5
