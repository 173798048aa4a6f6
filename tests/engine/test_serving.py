"""What lacks memory beside other work is done again alone; what lacks it even then fails, and no other."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tintype.engine.blank import BlankEngine
from tintype.engine.engine import NO_MEMORY, UNEXPECTED, Denoised, Engine, References
from tintype.engine.flux2.engine import Flux2Engine
from tintype.engine.models import Models
from tintype.engine.pipes import Inbox
from tintype.engine.protocol import Command, Drawn, Drop, Dropped, Event, Failed, Job, Progress, Stop
from tintype.engine.serving import Serving

from .drawing import EngineOf
from .jobs import job
from .references import reference


def serve(engine: Engine, *commands: Command) -> list[Event]:
    """What an engine says that gets the commands all at once."""
    events: list[Event] = []
    inbox = Inbox(io.BytesIO())
    for command in (*commands, Stop()):
        inbox._commands.put(command)
    serving(engine, inbox, events).run()
    return events


class Weightless:
    """The loader of a host that has one model."""

    def weigh(self, engine: Engine) -> int:
        return 0


def serving(engine: Engine, inbox: Inbox, events: list[Event]) -> Serving:
    models = Models(
        engine,
        weights="",
        loader=Weightless(),  # type: ignore[arg-type]
        budget=2**40,
        patience=20.0,
        post=events.append,
        put=inbox.put,
    )
    return Serving(models, inbox)


def ends(events: list[Event]) -> dict[str, Drawn | Failed]:
    found = [event for event in events if isinstance(event, Drawn | Failed)]
    assert len(found) == len({event.id for event in found}), "a job ended twice"
    return {event.id: event for event in found}


class Crowded(BlankEngine):
    """Raises what is in store for a job's first tries at a kind of work, and remembers who did what when."""

    def __init__(self, kind: str, job_id: str, *errors: Exception) -> None:
        super().__init__()
        self._errors = {(kind, job_id): list(errors)}
        self.did: list[str] = []

    def _work(self, kind: str, job: Job) -> None:
        self.did.append(f"{kind} {job.id}")
        if errors := self._errors.get((kind, job.id)):
            raise errors.pop(0)

    def prepare(self, job: Job) -> References:
        self._work("prepare", job)
        return super().prepare(job)

    def admit(self, job: Job, references: References = References()) -> None:  # noqa: B008 - frozen
        self._work("admit", job)
        super().admit(job, references)

    def finish(self, denoised: Denoised) -> Drawn | Failed:
        self._work("finish", denoised.job)
        return super().finish(denoised)

    def free_memory(self) -> None:
        self.did.append("free memory")


def jobs() -> list[Job]:
    return [job(id=name, images=(reference(64, 64),)) for name in "abc"]


KINDS = ["prepare", "admit", "finish"]


@pytest.mark.parametrize("kind", KINDS)
def test_what_lacks_memory_once_is_done_again(kind: str) -> None:
    engine = Crowded(kind, "b", MemoryError())

    ended = ends(serve(engine, *jobs()))

    assert all(isinstance(ended[name], Drawn) for name in "abc")
    tries = [place for place, did in enumerate(engine.did) if did == f"{kind} b"]
    assert len(tries) == 2
    assert engine.did[tries[1] - 1] == "free memory"


@pytest.mark.parametrize("kind", KINDS)
def test_what_lacks_memory_even_alone_fails_its_job_and_no_other(kind: str) -> None:
    engine = Crowded(kind, "b", MemoryError(), MemoryError())

    ended = ends(serve(engine, *jobs()))

    assert ended["b"] == Failed(id="b", reason=NO_MEMORY)
    assert isinstance(ended["a"], Drawn)
    assert isinstance(ended["c"], Drawn)


@pytest.mark.parametrize("kind", KINDS)
def test_what_fails_otherwise_is_not_done_again(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    engine = Crowded(kind, "b", RuntimeError("no file /srv/weights/secret"))

    ended = ends(serve(engine, *jobs()))

    assert ended["b"] == Failed(id="b", reason=UNEXPECTED)
    assert engine.did.count(f"{kind} b") == 1
    assert "/srv/weights/secret" in capsys.readouterr().err
    assert isinstance(ended["c"], Drawn)


def test_nothing_runs_beside_what_is_done_again() -> None:
    engine = Crowded("finish", "first", MemoryError())
    others = [job(id=name, images=(reference(64, 64),)) for name in "abc"]

    serve(engine, *others, job(id="first"))

    freed = engine.did.index("free memory")
    assert {f"prepare {name}" for name in "abc"} < set(engine.did[:freed])
    assert engine.did[freed + 1] == "finish first"


def test_a_job_dropped_before_it_is_finished_again_is_not() -> None:
    engine = Crowded("finish", "a", MemoryError())
    inbox, events = Inbox(io.BytesIO()), list[Event]()
    served = serving(engine, inbox, events)
    find = served._finishing._put
    served._finishing._put = lambda found: (inbox._commands.put(Drop(id="a")), find(found))[1]
    for command in (job(id="a"), Stop()):
        inbox._commands.put(command)

    served.run()

    assert events[-1] == Dropped(id="a")
    assert ends(events) == {}
    assert engine.did.count("finish a") == 1


class AcceleratorError(RuntimeError):
    """As the tensor library calls what never goes away."""


@pytest.mark.parametrize("kind", KINDS)
def test_a_lost_device_ends_the_host_and_fails_no_job(kind: str) -> None:
    engine = Crowded(kind, "b", AcceleratorError("CUDA error: an illegal memory access was encountered"))
    events: list[Event] = []
    inbox = Inbox(io.BytesIO())
    for command in (*jobs(), Stop()):
        inbox._commands.put(command)

    with pytest.raises(AcceleratorError):
        serving(engine, inbox, events).run()

    assert not any(isinstance(event, Failed) for event in events)


def test_a_drop_that_comes_during_a_step_is_heeded_before_the_next(engine: Flux2Engine) -> None:
    inbox, events = Inbox(io.BytesIO()), list[Event]()
    step, steps = engine.step, 0

    def interrupted() -> Any:
        nonlocal steps
        steps += 1  # models that are idle are not stepped
        if steps == 3:
            inbox._commands.put(Drop(id="a"))
            inbox._commands.put(Stop())
        return step()

    engine.step = interrupted  # type: ignore[method-assign]
    inbox._commands.put(job(id="a", steps=50))

    serving(engine, inbox, events).run()

    assert [event.step for event in events if isinstance(event, Progress)] == [1, 2, 3]
    assert events[-1] == Dropped(id="a")


class Scarce:
    """A model's method that lacks memory the first times it is called."""

    def __init__(self, work: Callable[..., Any], times: int) -> None:
        self._work, self.left = work, times
        self.device = torch.device("cpu")

    def __call__(self, *inputs: Any, **named: Any) -> Any:
        if self.left:
            self.left -= 1
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return self._work(*inputs, **named)


def make_scarce(engine: Flux2Engine, what: str, times: int) -> Scarce:
    checkpoint = engine._checkpoint
    if what == "text":
        scarce = checkpoint.text._encoder = Scarce(checkpoint.text._encoder, times)
        return scarce
    if what == "step":
        transformer = checkpoint.transformer
        scarce = transformer._compiled_call_impl = Scarce(transformer._compiled_call_impl, times)
        return scarce
    owner, name = {
        "decode": (checkpoint.decoder._vae, "decode"),
        "references": (checkpoint.references._vae, "encode"),
    }[what]
    scarce = Scarce(getattr(owner, name), times)
    setattr(owner, name, scarce)
    return scarce


WHERE = ["text", "references", "step", "decode"]


@pytest.mark.parametrize("where", WHERE)
def test_a_model_that_lacks_memory_once_draws_the_same_picture(
    klein: Path, engine_of: EngineOf, where: str
) -> None:
    asked = job(id="a", images=(reference(64, 64),))
    undisturbed = ends(serve(engine_of(klein), asked))["a"]
    engine = engine_of(klein)
    scarce = make_scarce(engine, where, times=1)

    drawn = ends(serve(engine, asked))["a"]

    assert scarce.left == 0
    assert isinstance(drawn, Drawn)
    assert isinstance(undisturbed, Drawn)
    assert drawn.image == undisturbed.image


@pytest.mark.parametrize("where", WHERE)
def test_a_job_that_a_model_has_no_memory_for_fails_and_the_next_is_drawn(
    engine: Flux2Engine, where: str
) -> None:
    make_scarce(engine, where, times=2)
    asked = [job(id=name, prompt=name, images=(reference(64 if name == "a" else 80, 64),)) for name in "ab"]

    first = ends(serve(engine, asked[0]))["a"]
    second = ends(serve(engine, asked[1]))["b"]

    assert first == Failed(id="a", reason=NO_MEMORY)
    assert isinstance(second, Drawn)
