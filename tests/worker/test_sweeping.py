"""What is left behind of files, and who sweeps it up."""

import asyncio

import pytest

from tintype.domain.task import Task
from worker.input_pictures import JPEG, MODEL, PNG, part, prepare, upload
from worker.workshop import Workshop, until

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120)]


async def test_what_never_became_a_file_is_swept_up(workshop: Workshop) -> None:
    from tintype.storage import loose
    from tintype.worker.sweeping import Sweeper

    kept = await upload(workshop, PNG)
    await workshop.database.write(lambda c: loose.announce(c, ["uploads/lost.png", "inputs/new.png"], now=1))
    await workshop.objects.put("uploads/lost.png", b"lost", "image/png")
    await workshop.objects.put("inputs/new.png", b"lost", "image/png")
    (workshop.folder / "files" / "uploads" / "lost.png#1").write_bytes(b"half")

    patient = Sweeper(database=workshop.database, objects=workshop.objects, longest_way=10**10)
    assert await patient.sweep() == 0
    assert await Sweeper(database=workshop.database, objects=workshop.objects).sweep() == 2

    assert len(workshop.stored()) == 1
    assert (await prepare(workshop, kept)).images == (PNG,)


async def test_a_worker_sweeps_by_itself(workshop: Workshop) -> None:
    from tintype.storage import loose

    await workshop.database.write(lambda c: loose.announce(c, ["uploads/lost.png"], now=1))
    await workshop.objects.put("uploads/lost.png", b"lost", "image/png")

    async with workshop.working():
        await until(lambda: not workshop.stored())


async def test_refused_runs_leave_no_files(workshop: Workshop) -> None:
    from tintype.domain.errors import NotPermitted

    with pytest.raises(NotPermitted):
        await workshop.service.submit(
            workshop.project,
            workshop.service.catalogue[MODEL],
            {"prompt": "", "inputImage": [part(PNG)]},
            billed_project_id=10**6,
        )

    assert workshop.stored() == []


async def test_a_run_that_is_asked_again_with_its_key_keeps_its_files_once(workshop: Workshop) -> None:
    async def again(content: bytes = PNG) -> Task:
        asked = {"prompt": "", "inputImage": part(content), "width": 64}
        model = workshop.service.catalogue[MODEL]
        return await workshop.service.submit(workshop.project, model, asked, idempotency_key="k")

    from tintype.domain.errors import IdempotencyConflict

    tasks = [await again(), *await asyncio.gather(again(), again())]
    with pytest.raises(IdempotencyConflict):
        await again(JPEG)

    assert len({task.id for task in tasks}) == 1
    assert len(workshop.stored()) == 1
    assert (await prepare(workshop, str(tasks[1].parameters["inputImage"]))).images == (PNG,)
