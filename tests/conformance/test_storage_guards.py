"""Guards: nonces that count once, buckets that hold for all processes, and what a project demands."""

import asyncio

import pytest
from sqlalchemy.exc import IntegrityError

from conformance.storekeeper import DAWN, SECOND, Storekeeper
from tintype.domain.errors import UnfitProject
from tintype.domain.project import Auth, Project, RequestSignature
from tintype.domain.rate import Limited, Rate, Standing, read_rate
from tintype.storage import accounts, guards, nonces, projects, rates
from tintype.storage.database import open_database

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]

TEN_A_SECOND = Rate(requests=10, per="s", burst=3)


async def spend(store: Storekeeper, nonce: str, project: Project | None = None) -> bool:
    owner = (project or store.project).id
    return await store.database.write(
        lambda connection: nonces.spend(connection, owner, nonce, expires=store.now + 60 * SECOND)
    )


async def take(store: Storekeeper, rate: Rate = TEN_A_SECOND, limited: Limited = Limited.RUN) -> Standing:
    return await store.database.write(
        lambda connection: rates.take(connection, store.project.id, limited, rate, now=store.now)
    )


async def guard(store: Storekeeper, project: Project, **guarded: object) -> Project:
    return await store.database.write(
        lambda connection: guards.guard_project(connection, project, **guarded)  # type: ignore[arg-type]
    )


async def signing(store: Storekeeper) -> Project:
    """A project that signs."""

    def create(connection):  # type: ignore[no-untyped-def]
        account = accounts.ensure_account(connection, name="default", now=DAWN)
        return projects.create_project(
            connection, store.vault, account=account, name="signing", auth=Auth.SIGNATURE, now=DAWN
        )[0]

    return await store.database.write(create)


# Nonces


async def test_a_nonce_counts_once(store: Storekeeper) -> None:
    assert [await spend(store, "1734513800") for _ in range(3)] == [True, False, False]


async def test_of_many_at_once_one_gets_the_nonce(store: Storekeeper, database_url: str) -> None:
    async with open_database(database_url) as elsewhere:
        others = Storekeeper(elsewhere)
        others.projects = store.projects

        asked = [spend(each, "1734513800") for each in (store, others) for _ in range(20)]
        spent = await asyncio.gather(*asked)

    assert sorted(spent) == [False] * 39 + [True]


async def test_nonces_of_two_projects_have_nothing_to_do_with_each_other(store: Storekeeper) -> None:
    other = await store.open_project("other")

    assert await spend(store, "7")
    assert await spend(store, "7", other)


async def test_any_text_is_a_nonce(store: Storekeeper) -> None:
    for nonce in ("", "\x00", "ü\ud800", "n" * 100_000):
        assert [await spend(store, nonce), await spend(store, nonce)] == [True, False]


async def test_an_expired_nonce_is_forgotten_and_no_other(store: Storekeeper) -> None:
    await spend(store, "early")
    store.pass_time(30)
    await spend(store, "late")

    store.pass_time(30)
    forgotten = await store.database.write(
        lambda connection: nonces.forget_expired(connection, now=store.now)
    )

    assert forgotten == 1
    assert not await spend(store, "late")
    assert await spend(store, "early")


async def test_a_refused_transaction_spends_no_nonce(store: Storekeeper) -> None:
    def spend_and_fail(connection):  # type: ignore[no-untyped-def]
        nonces.spend(connection, store.project.id, "7", expires=store.now)
        raise ArithmeticError

    with pytest.raises(ArithmeticError):
        await store.database.write(spend_and_fail)

    assert await spend(store, "7")


# Buckets


async def test_a_bucket_gives_its_burst_and_then_fills_steadily(store: Storekeeper) -> None:
    given = [await take(store) for _ in range(4)]
    store.pass_time(0.1)
    later = [await take(store) for _ in range(2)]

    assert [(each.allowed, each.remaining) for each in given] == [(True, 2), (True, 1), (True, 0), (False, 0)]
    assert [each.allowed for each in later] == [True, False]


async def test_a_bucket_never_holds_more_than_its_burst(store: Storekeeper) -> None:
    await take(store)
    store.pass_time(10_000)

    assert [(await take(store)).allowed for _ in range(4)] == [True, True, True, False]


async def test_who_is_refused_learns_when_to_come_back(store: Storekeeper) -> None:
    slow = Rate(requests=1, per="min", burst=2)
    first, _, refused = [await take(store, slow) for _ in range(3)]
    assert (first.seconds, refused.seconds) == (60, 60)

    store.pass_time(59.5)
    assert (await take(store, slow)).wait == 500_000
    store.pass_time(0.5)
    assert (await take(store, slow)).allowed


async def test_being_refused_costs_nothing(store: Storekeeper) -> None:
    for _ in range(10):
        await take(store)
    store.pass_time(0.1)

    assert (await take(store)).allowed


async def test_run_and_upload_have_buckets_of_their_own(store: Storekeeper) -> None:
    for _ in range(4):
        await take(store)

    assert (await take(store, limited=Limited.UPLOAD)).allowed


async def test_a_changed_rate_begins_with_a_full_bucket(store: Storekeeper) -> None:
    slow = Rate(requests=1, per="day", burst=2)
    for _ in range(3):
        await take(store, slow)

    assert (await take(store)).remaining == 2


async def test_a_bucket_holds_for_all_processes_together(store: Storekeeper, database_url: str) -> None:
    async with open_database(database_url) as elsewhere:
        others = Storekeeper(elsewhere)
        others.projects = store.projects

        rate = Rate(requests=1, per="h", burst=7)
        given = await asyncio.gather(*(take(each, rate) for each in (store, others) for _ in range(15)))

    assert sum(each.allowed for each in given) == 7
    assert sorted(each.remaining for each in given if each.allowed) == [*range(7)]


# What a project demands


async def test_a_new_project_is_not_guarded(store: Storekeeper) -> None:
    project = await signing(store)

    assert (project.strict, project.request_signature) == (False, RequestSignature.OFF)
    assert (project.rate_run, project.rate_upload) == (None, None)


async def test_guards_are_kept_and_changed_one_by_one(store: Storekeeper) -> None:
    project = await signing(store)

    await guard(store, project, strict=True, rates={Limited.RUN: "100/min"})
    await guard(store, project, request_signature=RequestSignature.REQUIRED, rates={Limited.UPLOAD: " OFF "})
    changed = await guard(store, project)

    assert (changed.strict, changed.request_signature) == (True, RequestSignature.REQUIRED)
    assert (changed.rate_run, changed.rate_upload) == ("100/min burst 100", "off")
    again = await guard(store, changed, strict=False, rates={Limited.RUN: "default"})
    assert (again.strict, again.rate_run) == (False, None)


async def test_a_project_that_does_not_sign_has_nothing_to_be_strict_about(store: Storekeeper) -> None:
    for guarded in ({"strict": True}, {"request_signature": RequestSignature.ACCEPTED}):
        with pytest.raises(UnfitProject, match="only a signature project"):
            await guard(store, store.project, **guarded)

    assert (await guard(store, store.project, strict=False, rates={Limited.RUN: "1/s"})).rate_run


async def test_no_key_project_can_be_stored_as_strict(store: Storekeeper) -> None:
    with pytest.raises(IntegrityError):
        await store.database.write(lambda c: c.exec_driver_sql("UPDATE projects SET strict = true"))


async def test_a_rate_that_is_none_says_what_would_be_right(store: Storekeeper) -> None:
    for wrong in ("", "often", "0/s", "10/week", "-1/s", "10/s burst 0", "9999999/s", "1/s burst"):
        with pytest.raises(UnfitProject, match="a rate of run must"):
            await guard(store, store.project, rates={Limited.RUN: wrong})


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("10/s", Rate(requests=10, per="s", burst=10)),
        (" 10 / MIN  burst 50", Rate(requests=10, per="min", burst=50)),
        ("1/day", Rate(requests=1, per="day", burst=1)),
        ("off", None),
    ],
)
def test_a_rate_is_read(text: str, rate: Rate | None) -> None:
    assert read_rate(text) == rate
    assert rate is None or read_rate(str(rate)) == rate
