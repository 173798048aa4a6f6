"""Noise levels: the sigma of every step, as the flow-match Euler scheduler of diffusers computes them.

Plain arithmetic in float32, bit for bit what `FlowMatchEulerDiscreteScheduler.set_timesteps` gives the
FLUX.2 pipelines. Every pair of steps and token count has its own table.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Sigmas = NDArray[np.float32]

_UNSUPPORTED = (
    "invert_sigmas",
    "stochastic_sampling",
    "use_beta_sigmas",
    "use_exponential_sigmas",
    "use_karras_sigmas",
)


@dataclass(frozen=True)
class Shift:
    """How a checkpoint bends its schedule towards noise."""

    dynamic: bool
    """Bend by image size and number of steps; otherwise by `factor`."""
    factor: float
    kind: str
    """`exponential` or `linear`, of a dynamic shift."""
    terminal: float | None
    """The last sigma before zero, if the schedule is stretched to it."""

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """From `scheduler_config.json`. Raises `ValueError` for options that FLUX.2 does not use."""
        if unsupported := [option for option in _UNSUPPORTED if config.get(option)]:
            raise ValueError(f"scheduler option {unsupported[0]} is not supported")
        return cls(
            dynamic=bool(config.get("use_dynamic_shifting", False)),
            factor=float(config.get("shift", 1.0)),
            kind=str(config.get("time_shift_type", "exponential")),
            terminal=config.get("shift_terminal"),
        )


def sigma_table(steps: int, tokens: int, shift: Shift) -> Sigmas:
    """(steps + 1,), from 1 down to 0. `tokens` is the image's number of tokens."""
    sigmas = np.linspace(1.0, 1 / steps, steps).astype(np.float32)
    if shift.dynamic:
        sigmas = _bend(sigmas, empirical_mu(tokens, steps), shift.kind)
    else:
        sigmas = shift.factor * sigmas / (1 + (shift.factor - 1) * sigmas)
    if shift.terminal:
        distance = 1 - sigmas
        sigmas = 1 - distance / (distance[-1] / (1 - shift.terminal))
    return np.append(sigmas, np.float32(0)).astype(np.float32)


def empirical_mu(tokens: int, steps: int) -> float:
    """How far a dynamic shift goes.

    Fitted by Black Forest Labs; `compute_empirical_mu` in https://github.com/black-forest-labs/flux2.
    """
    at_200_steps = 0.00016927 * tokens + 0.45666666
    if tokens > 4300:
        return at_200_steps
    at_10_steps = 8.73809524e-05 * tokens + 1.89833333
    slope = (at_200_steps - at_10_steps) / 190.0
    return slope * steps + (at_200_steps - 200.0 * slope)


def _bend(sigmas: Sigmas, mu: float, kind: str) -> Sigmas:
    strength = math.exp(mu) if kind == "exponential" else mu
    return (strength / (strength + (1 / sigmas - 1))).astype(np.float32)
