"""Between the claim and the engine: what becomes of a task with input files."""

import asyncio
import io

import pytest
from PIL import Image

from tintype.domain.lifecycle import Status
from tintype.domain.task import TaskName
from tintype.worker.fetches import AT_ONCE
from tintype.worker.preparing import PATIENCE
from worker.input_pictures import BLUE, JPEG, PNG, part, prepare, problem, run, upload
from worker.website import Site
from worker.workshop import Hosts, Workshop, running, until

ALONE = AT_ONCE // 2
"""Tasks that may fetch at once of a project that is the only one."""
pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120)]


async def test_check_68_parts_uploads_and_urls_reach_the_engine_in_order(
    open_minded: Workshop, site: Site
) -> None:
    kept, elsewhere = await upload(open_minded, JPEG), site.shows("/b.png", BLUE)
    task = await run(open_minded, part(PNG), kept, elsewhere)
    hosts = Hosts()

    async with open_minded.working(hosts):
        ended = await open_minded.ends(task)

    assert ended.succeeded, ended.debug_error
    given = ended.parameters["inputImage"]
    assert given[1:] == [kept, elsewhere]
    assert given[0].endswith("/inputImage-0.png")
    drawn = Image.open(io.BytesIO(await open_minded.picture(task)))
    assert drawn.size == (320, 160)
    assert (await prepare(open_minded, *given)).images == (PNG, JPEG, BLUE)


async def test_a_task_without_pictures_is_drawn_at_the_usual_size(workshop: Workshop) -> None:
    task = await run(workshop, width="", height=0)

    async with workshop.working():
        ended = await workshop.ends(task)

    assert Image.open(io.BytesIO(await workshop.picture(ended))).size == (1024, 1024)


async def test_a_picture_that_cannot_be_fetched_ends_the_task_as_a_failure(workshop: Workshop) -> None:
    task = await run(workshop, "http://127.0.0.1:9/a.png")

    async with workshop.events(task) as events, workshop.working():
        ended = await workshop.ends(task)

    assert (ended.status, ended.exit_code, ended.total_cost) == (Status.POSTPROCESS_END, 1, 0)
    assert ended.debug_error == (
        "Input file http://127.0.0.1:9/a.png of [inputImage] could not be fetched: "
        "127.0.0.1 is not at a public address."
    )
    assert await workshop.charges() == {}
    assert [event.type for event in events] == [
        "task_accept",
        "task_preprocess_start",
        "task_end",
        "task_postprocess_end",
    ]


async def test_a_kill_while_files_are_fetched_stops_at_once(open_minded: Workshop, site: Site) -> None:
    task = await run(open_minded, site.hangs("/slow.png"))

    async with open_minded.working(Hosts(places=1)):
        await until(lambda: site.asked)
        assert (await open_minded.look(task)).status is Status.PREPROCESS_START
        killed = await open_minded.kill(task)
        async with asyncio.timeout(PATIENCE / 2):  # in the one place that there is
            next_one = await open_minded.ends(await open_minded.run())

    assert killed.status is Status.CANCEL
    assert next_one.succeeded
    assert (await open_minded.look(task)).status is Status.CANCEL


async def test_slow_servers_hold_up_no_other_task(open_minded: Workshop, site: Site) -> None:
    url = site.hangs("/slow.png")
    slow = [await run(open_minded, url) for _ in range(ALONE + 4)]

    async with open_minded.working(Hosts(places=2)):
        async with asyncio.timeout(PATIENCE / 2):
            await until(lambda: len(site.asked) == ALONE)
            assert (await open_minded.ends(await open_minded.run())).succeeded
        fetching = [await open_minded.look(task) for task in slow]
        assert len(site.asked) == ALONE
        site.shows("/slow.png", PNG)
        site.released.set()
        ended = [await open_minded.ends(task) for task in slow]

    assert {task.status for task in fetching} == {Status.PREPROCESS_START}
    assert [task.succeeded for task in ended[ALONE:]] == [True] * 4


async def test_a_project_with_its_share_of_slow_fetches_leaves_its_next_tasks_in_the_queue(
    open_minded: Workshop, site: Site
) -> None:
    url = site.hangs("/slow.png")
    slow = [await run(open_minded, url) for _ in range(8)]
    other = await open_minded.another()

    async with open_minded.working(Hosts(places=1), most_away=4):
        await until(lambda: len(site.asked) == 2)
        ended = await other.ends(await other.run())
        found = [(await open_minded.look(task)).status for task in slow]
        site.shows("/slow.png", PNG)
        site.released.set()
        last = await open_minded.ends(slow[-1])

    assert ended.succeeded
    assert found == [Status.PREPROCESS_START] * 2 + [Status.QUEUE] * 6
    assert last.succeeded


async def test_a_worker_that_stops_hands_a_fetching_task_back(open_minded: Workshop, site: Site) -> None:
    task = await run(open_minded, site.hangs("/slow.png"))

    async with running(open_minded.worker()):
        await until(lambda: site.asked)
    back = await open_minded.look(task)
    site.released.set()
    site.shows("/slow.png", PNG)
    async with open_minded.working():
        ended = await open_minded.ends(task)

    assert (back.status, back.lost_attempts) == (Status.QUEUE, 0)
    assert ended.succeeded


async def test_deleting_a_task_s_files_deletes_its_inputs_too(workshop: Workshop) -> None:
    kept = await upload(workshop, JPEG)
    task = await run(workshop, part(PNG), kept)
    async with workshop.working():
        await workshop.ends(task)
    assert len(workshop.stored()) == 3

    await workshop.service.delete_files(workshop.project, TaskName(kind="id", value=str(task.id)))

    assert [path.parts[-3] for path in workshop.stored()] == ["uploads"]  # which no task owns
    assert "could not be fetched: File not found." in await problem(
        workshop, str(task.parameters["inputImage"][0])
    )
