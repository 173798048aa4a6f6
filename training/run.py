"""A training run that is measured in minutes and survives being stopped: state on disk, log lines."""

import os
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import torch

CPU = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
BFLOAT16 = "amx_bf16" in CPU or "avx512_bf16" in CPU  #: elsewhere single precision is faster


class Run:
    """Counts the steps and seconds of one run, also across restarts, and writes its state every two minutes.

    `parts` are the things with a `state_dict` that make up the state: model, average, optimisers.
    """

    def __init__(self, path: Path, *, minutes: float, parts: dict[str, Any], save_every: float = 120) -> None:
        self.path, self.budget, self.parts, self.save_every = path, minutes * 60, parts, save_every
        self.step, self.samples, self.before = 0, 0, 0.0
        self.sums: dict[str, list[float]] = defaultdict(list)
        if path.exists():
            self._resume()
        self.started = self.saved = time.monotonic()

    @property
    def seconds(self) -> float:
        return self.before + time.monotonic() - self.started

    @property
    def progress(self) -> float:
        """From 0 to 1 over the run's budget."""
        return min(1.0, self.seconds / self.budget)

    @property
    def unfinished(self) -> bool:
        return self.seconds < self.budget

    def rate(self, *, warm_up: int, decay: float) -> float:
        """Factor on the learning rate: up over `warm_up` steps, down over the last `decay` of the budget."""
        return min(1.0, (self.step + 1) / warm_up) * min(1.0, (1 - self.progress) / decay + 0.01)

    def tick(self, samples: int, *, every: int = 50, **figures: float) -> None:
        """Count one step, log the mean figures now and then, save when it is time."""
        self.step, self.samples = self.step + 1, self.samples + samples
        for name, value in figures.items():
            self.sums[name].append(value)
        if self.step % every == 0:
            self._log()
        if time.monotonic() - self.saved > self.save_every:
            self.save()

    def save(self) -> None:
        """Write the state beside the old one and put it in its place in one move."""
        state = {name: part.state_dict() for name, part in self.parts.items()}
        state |= {
            "step": self.step,
            "samples": self.samples,
            "seconds": self.seconds,
            "rng": torch.get_rng_state(),
        }
        beside = self.path.with_suffix(".new")
        torch.save(state, beside)
        os.replace(beside, self.path)
        self.saved = time.monotonic()

    def _resume(self) -> None:
        state = torch.load(self.path, weights_only=True)
        for name, part in self.parts.items():
            part.load_state_dict(state[name])
        self.step, self.samples, self.before = state["step"], state["samples"], state["seconds"]
        torch.set_rng_state(state["rng"])
        print(f"resumed {self.path.name} at step {self.step}, {self.before:.0f} s")

    def _log(self) -> None:
        means = "  ".join(f"{name} {sum(values) / len(values):.4f}" for name, values in self.sums.items())
        print(
            f"{self.seconds:6.0f} s  step {self.step}  {self.samples / self.seconds:6.1f} /s  {means}",
            flush=True,
        )
        self.sums.clear()


def follow(average: torch.nn.Module, model: torch.nn.Module, *, decay: float, step: int) -> None:
    """Move the exponential moving average of the weights one step towards the model's."""
    weight = 1 - min(decay, (1 + step) / (10 + step))
    with torch.no_grad():
        torch._foreach_lerp_(list(average.parameters()), list(model.parameters()), weight)
