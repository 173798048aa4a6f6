"""Looking tasks up: by id, by token, and page by page."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Engine, event

from conformance.storekeeper import Storekeeper, picture, success
from tintype.domain.errors import UnknownTask
from tintype.domain.task import TaskName
from tintype.storage import tasks

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]

MATCHES = {
    "": 3,
    "flux": 2,
    "FLUX": 2,
    "forest-labs/flux-2-": 2,
    "flux 2.flex": 1,
    "other": 1,
    "/": 3,
    **dict.fromkeys(["%", "_lux", "\\", "\x00", "\ud800", "straße"], 0),
}
"""How many of the three models below have the part in their slug."""


async def test_a_task_is_found_by_its_id_and_by_its_token(store: Storekeeper) -> None:
    task = await store.submit()

    assert await store.find(TaskName(kind="id", value=str(task.id))) == task
    assert await store.find(TaskName(kind="id", value=f"000{task.id}")) == task
    assert await store.find(TaskName(kind="token", value=task.token)) == task


async def test_a_token_is_found_whatever_its_project(store: Storekeeper) -> None:
    done = await store.finished()

    assert await store.database.read(lambda connection: tasks.find_by_token(connection, done.token)) == done


async def test_no_task_has_a_wild_id(store: Storekeeper) -> None:
    await store.submit()

    for value in ("0", "404", "9223372036854775807", "9223372036854775808", "9" * 5000, "", "-1", "²"):
        with pytest.raises(UnknownTask):
            await store.find(TaskName(kind="id", value=value))


async def test_no_task_has_a_wild_token(store: Storekeeper) -> None:
    await store.submit()

    for token in ("test", "", "\x00", "\ud800", "' OR 1=1 --", "a" * 1_000_000, "тест", "%"):
        with pytest.raises(UnknownTask):
            await store.find(TaskName(kind="token", value=token))
        with pytest.raises(UnknownTask):
            await store.database.read(lambda connection, it=token: tasks.find_by_token(connection, it))


async def test_tokens_are_told_apart_by_case(store: Storekeeper) -> None:
    task = await store.submit(token="AbcDefGhiJklMnoPqrStuVwxYzAbcD")

    with pytest.raises(UnknownTask):
        await store.find(TaskName(kind="token", value=task.token.lower()))


async def test_another_projects_task_is_not_found(store: Storekeeper) -> None:
    other = await store.open_project("second")
    task = await store.submit()

    for name in (TaskName(kind="id", value=str(task.id)), TaskName(kind="token", value=task.token)):
        with pytest.raises(UnknownTask):
            await store.find(name, other)


async def test_a_list_shows_the_newest_first(store: Storekeeper) -> None:
    submitted = [await store.submit() for _ in range(5)]

    total, page = await store.list_tasks(limit=2)

    assert total == 5
    assert page == [submitted[4], submitted[3]]


async def test_a_list_may_be_read_from_its_other_end(store: Storekeeper) -> None:
    submitted = [await store.submit() for _ in range(5)]

    assert await store.list_tasks(ascending=True, start=1, limit=3) == (5, submitted[1:4])


async def test_past_its_end_a_list_is_empty(store: Storekeeper) -> None:
    await store.submit()

    assert await store.list_tasks(start=1) == (1, [])
    assert await store.list_tasks(start=10**30) == (1, [])


async def test_a_list_shows_the_projects_own_tasks_alone(store: Storekeeper) -> None:
    other = await store.open_project("second")
    await store.submit()
    theirs = await store.submit(other)

    assert await store.list_tasks(other) == (1, [theirs])


@pytest.mark.parametrize("ascending", [True, False])
async def test_a_list_ends_before_what_callers_sent_is_too_much(store: Storekeeper, ascending: bool) -> None:
    sent = {"parameters": {"prompt": "é" * 100}, "inputs": {"prompt": "é" * 90}, "callback_url": "x" * 50}
    submitted = [await store.submit(**sent) for _ in range(5)]
    expected = submitted if ascending else submitted[::-1]
    size = sum(len(json.dumps(value, separators=(",", ":"))) for value in sent.values())

    for largest, start, count in ((5 * size, 0, 5), (2 * size, 1, 2), (2 * size - 1, 0, 1), (0, 3, 1)):
        page = await store.list_tasks(ascending=ascending, start=start, largest=largest)

        assert page == (5, expected[start : start + count])


async def test_a_list_is_filtered_by_a_part_of_the_model(store: Storekeeper) -> None:
    for model in ("black-forest-labs/flux-2-flex", "black-forest-labs/flux-2-klein", "other/model"):
        await store.submit(model=model)

    for part, matches in MATCHES.items():
        total, page = await store.list_tasks(model_part=part)

        assert (part, total, len(page)) == (part, matches, matches)


async def test_a_page_costs_three_queries_however_many_outputs_it_has(store: Storekeeper) -> None:
    finished = [
        await store.finished(success(picture(0, folder="f" * 32), picture(1, folder="f" * 32)))
        for _ in range(5)
    ]

    with counted_queries() as queries:
        _, page = await store.list_tasks(ascending=True)

    assert page == finished
    assert len([query for query in queries if query.startswith("SELECT")]) == 3


@contextmanager
def counted_queries() -> Iterator[list[str]]:
    queries: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        queries.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield queries
    finally:
        event.remove(Engine, "before_cursor_execute", note)
