"""What becomes of a task once a worker has it."""

import pytest

from tintype.domain.lifecycle import STAGES
from worker.workshop import Workshop

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]


async def test_a_task_runs_through_every_stage_in_order(workshop: Workshop) -> None:
    task = await workshop.run()

    async with workshop.events(task) as events, workshop.working():
        ended = await workshop.ends(task)

    assert ended.succeeded
    told = list(dict.fromkeys(event.type for event in events))
    assert told == [stage.value for stage in STAGES[1:]]
