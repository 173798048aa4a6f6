"""What an engine cannot draw ends its task, and costs nothing."""

import pytest

from worker.workshop import Hosts, Workshop

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(240)]


async def test_a_task_whose_latents_are_no_numbers_has_no_picture_and_no_charge(
    workshop: Workshop, slow: str
) -> None:
    overflowing = await workshop.submit(
        prompt="a kite", width=64, height=64, steps=4, guidance=1e38, seed=1, outputFormat="png"
    )
    fine = await workshop.run()

    async with workshop.working(Hosts(slow, threads=1)):
        failed, drawn = await workshop.ends(overflowing), await workshop.ends(fine)

    assert (failed.exit_code, failed.outputs, failed.lost_attempts) == (1, (), 0)
    assert failed.debug_error == "The model produced values that are not numbers"
    assert drawn.succeeded
    assert await workshop.charges() == {fine.id: 1}
    assert len(workshop.stored()) == 1
