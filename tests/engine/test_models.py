"""Several models in one real host: who is loaded, who leaves, and what becomes of everybody's jobs."""

import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from tintype.domain.errors import BadCheckpoint
from tintype.domain.placement import Dtype, Placement
from tintype.domain.source import Source
from tintype.engine.flux2.footprint import budget_of_models
from tintype.engine.flux2.load import expected_bytes
from tintype.engine.images.comparing import changes
from tintype.engine.images.metadata import read_metadata
from tintype.engine.limits import Limits
from tintype.engine.process import HostProcess, start_host
from tintype.engine.protocol import (
    Drawn,
    Drop,
    Dropped,
    Event,
    Failed,
    Progress,
    Shelved,
    Started,
)

from .checkpoints import variant, write_checkpoint
from .drawing import EngineOf, draw
from .jobs import job
from .loras import write_lora

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(300)]

GIB = 2**30
Start = Callable[..., AbstractAsyncContextManager[HostProcess]]


@pytest.fixture(scope="module")
def models(klein: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Source]:
    """The model of the host, and two others of the same size."""
    folder = tmp_path_factory.mktemp("models")
    return [Source(), *(Source(weights=str(variant(klein, folder / name))) for name in ("second", "third"))]


@pytest.fixture
def size(klein: Path) -> int:
    """Bytes of one model."""
    return expected_bytes(str(klein), Placement(device="cpu"))


@pytest.fixture
def start(klein: Path, size: int) -> Start:
    """Starts hosts that have room for so many models."""

    def start(room: float, **options: Any) -> AbstractAsyncContextManager[HostProcess]:
        memory = size * room / GIB
        return start_host(weights=str(klein), device="cpu", threads=1, model_memory=memory, **options)

    return start


class Listener:
    """Hears a host, and remembers what it said."""

    def __init__(self, host: HostProcess) -> None:
        self._events: AsyncIterator[Event] = host.events()
        self.heard: list[Event] = []

    async def until(self, condition: Callable[[Event], bool], *, count: int = 1) -> Event:
        async for event in self._events:
            self.heard.append(event)
            count -= condition(event)
            if not count:
                return event
        raise AssertionError(f"the host ended; it said {self.heard}")

    async def ends(self, *ids: str) -> dict[str, Event]:
        """How the jobs end."""
        while missing := set(ids) - self.ended.keys():
            await self.until(lambda event, missing=missing: getattr(event, "id", "") in missing)  # type: ignore[misc]
        return self.ended

    @property
    def ended(self) -> dict[str, Event]:
        return {event.id: event for event in self.heard if isinstance(event, Drawn | Failed | Dropped)}

    def states(self) -> list[tuple[Source, str]]:
        return [(event.source, event.state) for event in self.heard if isinstance(event, Shelved)]


def stands(source: Source, state: str, event: Event) -> bool:
    return isinstance(event, Shelved) and (event.source, event.state) == (source, state)


def image(event: Event) -> bytes:
    assert isinstance(event, Drawn), event
    return event.image


def test_what_a_model_takes_is_known_before_it_is_loaded(klein: Path, engine_of: EngineOf) -> None:
    expected = expected_bytes(str(klein), Placement(device="cpu"))

    assert engine_of(klein).checkpoint.bytes == pytest.approx(expected, rel=0.01)


async def test_three_models_share_the_room_of_two_and_draw_as_if_alone(
    start: Start, models: list[Source], klein: Path, engine_of: EngineOf
) -> None:
    engines = {source: engine_of(Path(source.weights or klein)) for source in models}
    alone = {source: image(draw(engine, job(id="it")).pictures["it"]) for source, engine in engines.items()}

    async with start(2.5) as host:
        listener = Listener(host)
        jobs = {f"{turn}-{number}": source for turn in range(3) for number, source in enumerate(models)}
        for name, source in jobs.items():
            await host.send(job(id=name, source=source))
        ended = await listener.ends(*jobs)

    for name, source in jobs.items():
        assert image(ended[name]).replace(b"second", b"tiny") == alone[source].replace(b"second", b"tiny")
    assert len(set(alone.values())) == 3
    assert any(state == "evicted" for _, state in listener.states())
    assert {source for source, state in listener.states() if state == "loaded"} >= set(models[1:])


async def test_two_models_that_fit_draw_side_by_side(start: Start, models: list[Source]) -> None:
    async with start(3) as host:
        listener = Listener(host)
        await host.send(job(id="other", source=models[1], steps=2))
        await listener.ends("other")

        await host.send(job(id="first", steps=1000))
        await host.send(job(id="second", source=models[1], steps=1000))
        await listener.until(lambda event: isinstance(event, Started), count=2)
        await listener.until(lambda event: isinstance(event, Progress), count=40)

    after = listener.heard[-40:]
    steps = [event.id for event in after if isinstance(event, Progress)]
    assert min(steps.count("first"), steps.count("second")) > 5
    assert ("evicted") not in dict(listener.states()).values()


async def test_one_checkpoint_is_drawn_in_two_number_formats_side_by_side(start: Start) -> None:
    half = Source(dtype=Dtype.BFLOAT16)
    async with start(2) as host:
        listener = Listener(host)
        await host.send(job(id="whole"))
        await host.send(job(id="half", source=half))
        ended = await listener.ends("whole", "half")

    whole, halved = (read_metadata(image(ended[name])) for name in ("whole", "half"))
    assert list(changes(whole, halved)) == ["dtype float32, now bfloat16"]
    assert image(ended["half"]) != image(ended["whole"])
    (loaded,) = (event for event in listener.heard if stands(half, "loaded", event))
    assert isinstance(loaded, Shelved)
    assert loaded.bytes == pytest.approx(host.ready.bytes / 2, rel=0.05)


async def test_a_model_that_is_used_stays_until_it_is_not(start: Start, models: list[Source]) -> None:
    async with start(1.5) as host:
        listener = Listener(host)
        await host.send(job(id="long", steps=400))
        await listener.until(lambda event: isinstance(event, Progress))
        await host.send(job(id="other", source=models[1]))
        await listener.ends("long", "other")

    ends = list(listener.ended)
    assert ends == ["long", "other"]
    evicted = listener.states().index((Source(), "evicted"))
    assert listener.states().index((models[1], "loaded")) > evicted


@pytest.mark.parametrize(
    ("patience", "order"),
    [(0.0, ["long", "waiting", "late"]), (600.0, ["late", "long", "waiting"])],
    ids=["no longer", "until then"],
)
async def test_the_model_in_the_way_takes_new_jobs_while_the_one_that_waits_for_room_has_patience(
    start: Start, models: list[Source], patience: float, order: list[str]
) -> None:
    async with start(1.5, model_patience=patience) as host:
        listener = Listener(host)
        await host.send(job(id="long", steps=1000))
        await host.send(job(id="waiting", source=models[1]))
        await listener.until(partial(stands, models[1], "loading"))
        await listener.until(lambda event: isinstance(event, Progress), count=50)
        await host.send(job(id="late"))
        await listener.ends("long", "waiting", "late")

    assert list(listener.ended) == order


async def test_a_model_that_cannot_be_loaded_fails_its_own_jobs_alone(
    start: Start, models: list[Source], klein: Path, tmp_path: Path
) -> None:
    damaged = tmp_path / "damaged"
    shutil.copytree(klein, damaged)
    (damaged / "vae" / "diffusion_pytorch_model.safetensors").write_bytes(b"no weights")
    async with start(2.5) as host:
        listener = Listener(host)
        await host.send(job(id="before", steps=100))
        await host.send(job(id="damaged", source=Source(weights=str(damaged))))
        await host.send(job(id="nowhere", source=Source(weights="/srv/nowhere")))
        await host.send(job(id="other", source=models[1]))
        await listener.ends("before", "damaged", "nowhere", "other")
        await host.send(job(id="again", source=Source(weights="/srv/nowhere")))
        ended = await listener.ends("again")

    reasons = {name: event.reason for name, event in ended.items() if isinstance(event, Failed)}
    assert reasons.keys() == {"damaged", "nowhere", "again"}
    assert reasons["nowhere"].startswith("The model cannot be loaded: there is no such folder")
    assert reasons["again"] == reasons["nowhere"]
    assert reasons["damaged"].startswith("The model cannot be loaded: vae: ")
    assert str(tmp_path) not in reasons["damaged"]
    assert (Source(weights=str(damaged)), "failed") in listener.states()
    assert (Source(), "evicted") not in listener.states()


async def test_a_model_larger_than_all_the_room_is_refused_with_both_sizes(
    start: Start, size: int, tmp_path: Path
) -> None:
    large = write_checkpoint(tmp_path / "large", vae_levels=6)
    between = (size + expected_bytes(str(large), Placement(device="cpu"))) / 2
    async with start(between / size) as host:
        await host.send(job(id="large", source=Source(weights=str(large))))
        await host.send(job(id="fits"))
        ended = await Listener(host).ends("large", "fits")

    assert isinstance(ended["large"], Failed)
    assert "TINTYPE_MODEL_MEMORY" in ended["large"].reason
    assert isinstance(ended["fits"], Drawn)


async def test_a_first_model_larger_than_all_the_room_is_one_clear_error(start: Start) -> None:
    with pytest.raises(BadCheckpoint, match=r"tiny: its weights take .+ GiB, and all models together may"):
        async with start(0.5):
            pass


@pytest.mark.parametrize(
    ("device", "given", "budget"),
    [
        ("cuda", {}, 64),
        ("cpu", {}, 40),
        ("cuda", {"first": 70}, 70),
        ("cuda", {"jobs": 30}, 50),
        ("cuda", {"wish": 60, "jobs": 20}, 60),
        ("cuda", {"wish": 76}, 76),
    ],
)
def test_models_may_take_what_is_usual_without_what_jobs_may_and_the_first_has_room_in_any_case(
    device: str, given: dict[str, int], budget: int
) -> None:
    sizes = {name: size * GIB for name, size in ({"wish": 0, "jobs": 0, "first": 10} | given).items()}

    assert budget_of_models(torch.device(device), 80 * GIB, **sizes) == budget * GIB


@pytest.mark.parametrize("given", [{"wish": 60, "jobs": 21}, {"first": 70, "jobs": 11}, {"wish": 81}])
def test_models_and_jobs_cannot_be_given_more_memory_than_there_is(given: dict[str, int]) -> None:
    sizes = {name: size * GIB for name, size in ({"wish": 0, "jobs": 0, "first": 10} | given).items()}

    with pytest.raises(ValueError, match=r"\(TINTYPE_MODEL_MEMORY\) and jobs .+ cuda has 80 GiB"):
        budget_of_models(torch.device("cuda"), 80 * GIB, **sizes)


async def test_a_host_that_is_given_more_memory_than_there_is_does_not_start(start: Start) -> None:
    with pytest.raises(
        BadCheckpoint, match=r"tiny: models may take .+ and jobs 9.77e\+06 GiB .+, but cpu has"
    ):
        async with start(1.5, limits=Limits(memory_mb=10**10)):
            pass


async def test_a_job_that_waits_for_its_model_can_be_dropped(start: Start, models: list[Source]) -> None:
    async with start(1.5) as host:
        listener = Listener(host)
        await host.send(job(id="long", steps=1000))
        await host.send(job(id="waiting", source=models[1]))
        await listener.until(partial(stands, models[1], "loading"))

        await host.send(Drop(id="waiting"))
        assert isinstance((await listener.ends("waiting"))["waiting"], Dropped)
        await host.send(Drop(id="long"))
        await listener.ends("long")
        await host.send(job(id="next"))

        assert isinstance((await listener.ends("next"))["next"], Drawn)


async def test_a_stopped_host_draws_what_waits_for_a_model(start: Start, models: list[Source]) -> None:
    async with start(1.5) as host:
        for number, source in enumerate(models):
            await host.send(job(id=str(number), source=source))

        await host.stop()
        events = [event async for event in host.events()]

    assert {event.id for event in events if isinstance(event, Drawn)} == {"0", "1", "2"}


async def test_a_lora_draws_on_its_base_and_leaves_it_as_it_was(
    start: Start, klein: Path, models: list[Source], tmp_path: Path
) -> None:
    ink = Source(lora=str(write_lora(klein, tmp_path / "ink.safetensors")), strength=0.5)
    of_other = Source(
        weights=models[1].weights, lora=str(write_lora(klein, tmp_path / "chalk.safetensors", seed=8))
    )
    async with start(3) as host:
        listener = Listener(host)
        await host.send(job(id="before"))
        await listener.ends("before")
        for name, source in (("ink", ink), ("between", Source()), ("of-other", of_other), ("ink-2", ink)):
            await host.send(job(id=name, source=source))
        ended = await listener.ends("ink", "between", "of-other", "ink-2")
        await host.send(job(id="after"))
        ended = await listener.ends("after")

    assert image(ended["before"]) == image(ended["between"]) == image(ended["after"])
    assert image(ended["ink"]) == image(ended["ink-2"]) != image(ended["before"])
    assert image(ended["of-other"]) not in {image(ended["ink"]), image(ended["before"])}
    loaded = [source for source, state in listener.states() if state == "loaded"]
    assert loaded.count(ink) == 1
    assert loaded.index(models[1]) < loaded.index(of_other)


async def test_a_lora_that_cannot_be_used_fails_its_own_jobs_alone(
    start: Start, klein: Path, tmp_path: Path
) -> None:
    (tmp_path / "broken.safetensors").write_bytes(b"broken")
    async with start(3) as host:
        for name in ("broken", "gone"):
            await host.send(job(id=name, source=Source(lora=str(tmp_path / f"{name}.safetensors"))))
        await host.send(job(id="base"))
        ended = await Listener(host).ends("broken", "gone", "base")

    assert isinstance(ended["base"], Drawn)
    assert isinstance(ended["broken"], Failed)
    assert ended["broken"].reason.startswith("The model cannot be loaded: lora: ")
    assert isinstance(ended["gone"], Failed)
    assert ended["gone"].reason == "The model cannot be loaded: there is no such file"


async def test_what_can_only_fill_memory_evicts_a_lora_before_its_base(
    start: Start, klein: Path, models: list[Source], tmp_path: Path
) -> None:
    ink = Source(lora=str(write_lora(klein, tmp_path / "ink.safetensors")))
    async with start(2.0) as host:
        listener = Listener(host)
        await host.send(job(id="ink", source=ink))
        await listener.ends("ink")
        await host.send(job(id="base"))
        await listener.ends("base")
        await host.send(job(id="other", source=models[1]))
        await listener.ends("other")
        await host.send(job(id="ink-2", source=ink))
        ended = await listener.ends("ink-2")

    assert image(ended["ink"]) == image(ended["ink-2"])
    states = listener.states()
    assert states.index((ink, "evicted")) < states.index((models[1], "loaded"))
    assert (Source(), "evicted") not in states
