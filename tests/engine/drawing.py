"""Drawing with an engine in this process, on the CPU."""

import io
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from tintype.domain.placement import Placement
from tintype.engine.engine import Denoised
from tintype.engine.flux2.engine import Flux2Engine
from tintype.engine.flux2.load import load_engine
from tintype.engine.protocol import Drawn, Failed, Job, JobEvent

EngineOf = Callable[..., Flux2Engine]
ON_CPU = Placement(device="cpu")


def open_engine(folder: Path, **wanted: Any) -> Flux2Engine:
    """An engine that computes on the CPU, and otherwise as is wanted."""
    engine = load_engine(str(folder), wanted=replace(ON_CPU, **wanted), threads=1, places=0)
    assert isinstance(engine, Flux2Engine)
    return engine


@dataclass
class Outcome:
    """What an engine said, and the final latents of what it has drawn."""

    events: list[JobEvent] = field(default_factory=list)
    latents: dict[str, torch.Tensor] = field(default_factory=dict)
    pictures: dict[str, Drawn | Failed] = field(default_factory=dict)

    def order(self) -> list[str]:
        return list(self.latents)


def step(engine: Flux2Engine, outcome: Outcome) -> None:
    for event in engine.step():
        if isinstance(event, Denoised):
            outcome.latents[event.job.id] = event.latents.clone()
            outcome.pictures[event.job.id] = engine.finish(event)
        else:
            outcome.events.append(event)


def draw(engine: Flux2Engine, *jobs: Job, steps_apart: int = 0) -> Outcome:
    """Draw the jobs, each joining some steps after the one before."""
    outcome = Outcome()
    for one in jobs:
        engine.admit(one)
        for _ in range(steps_apart):
            step(engine, outcome)
    while not engine.idle:
        step(engine, outcome)
    return outcome


def pixels(drawn: Drawn | Failed) -> np.ndarray[Any, np.dtype[np.int64]]:
    assert isinstance(drawn, Drawn)
    return np.asarray(Image.open(io.BytesIO(drawn.image))).astype(np.int64)
