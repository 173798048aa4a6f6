"""Tasks of models that are not in memory yet."""

from pathlib import Path

import pytest

from engine.checkpoints import variant
from tintype.domain.errors import UnknownModel
from tintype.domain.lifecycle import Status
from tintype.domain.source import Source
from tintype.worker.standing import read_standings
from worker.workshop import MODEL, Hosts, Workshop, until

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(240)]


async def test_a_task_is_assigned_while_its_model_is_loading(
    workshop: Workshop, slow: str, tmp_path: Path
) -> None:
    other = Source(weights=str(variant(Path(slow), tmp_path / "other")))
    hosts = Hosts(slow)
    task = await workshop.run()

    async with workshop.events(task) as events, workshop.working(hosts, source_of=lambda model: other):
        ended = await workshop.ends(task)

    assert ended.succeeded
    told = [event.type for event in events]
    assert told.index(Status.ASSIGN) < told.index(Status.START)
    states = [event.state for event in hosts.said if hasattr(event, "state")]
    assert states == ["loading", "loading", "loaded"]


async def test_a_task_whose_model_left_the_catalogue_ends_as_a_failure_that_says_so(
    workshop: Workshop,
) -> None:
    def source_of(model: str) -> Source:
        assert model == MODEL
        raise UnknownModel

    task = await workshop.run()
    async with workshop.working(source_of=source_of):
        ended = await workshop.ends(task)

    assert (ended.exit_code, ended.debug_error) == (1, "The model is no longer on offer.")


async def test_where_models_stand_is_seen_while_their_worker_lives(workshop: Workshop) -> None:
    async with workshop.working(Hosts()) as worker:
        await until(lambda: worker.is_ready)
        (models,) = read_standings(workshop.locks).values()

        assert [(model.source, model.state) for model in models] == [(Source(), "loaded")]

    assert read_standings(workshop.locks) == {}
    assert list(workshop.locks.iterdir()) == []
