from typing import Any

import numpy as np
import pytest

from tintype.engine.flux2.sigmas import Shift, sigma_table

SCHEDULES: list[dict[str, Any]] = [
    {"shift": 1.0},
    {"shift": 3.0},
    {"use_dynamic_shifting": True, "time_shift_type": "exponential"},
    {"use_dynamic_shifting": True, "time_shift_type": "linear"},
    {"shift": 3.0, "shift_terminal": 0.02},
]


CASES = [
    pytest.param(config, steps, tokens)
    for config in SCHEDULES
    for steps, tokens in [(1, 16), (4, 4096), (25, 16), (50, 16384)]
    if not (config.get("shift_terminal") and steps == 1)  # a single step has no end to stretch
]


@pytest.mark.parametrize(("config", "steps", "tokens"), CASES)
def test_every_table_is_bit_for_bit_the_schedulers(config: dict[str, Any], steps: int, tokens: int) -> None:
    from diffusers import FlowMatchEulerDiscreteScheduler
    from diffusers.pipelines.flux2.pipeline_flux2_klein import compute_empirical_mu

    scheduler = FlowMatchEulerDiscreteScheduler(**config)
    mu = compute_empirical_mu(image_seq_len=tokens, num_steps=steps)
    scheduler.set_timesteps(sigmas=np.linspace(1.0, 1 / steps, steps), mu=mu)

    table = sigma_table(steps, tokens, Shift.from_config(scheduler.config))

    assert table.dtype == np.float32
    assert table.tolist() == scheduler.sigmas.tolist()


def test_a_schedule_that_flux2_does_not_use_is_refused() -> None:
    with pytest.raises(ValueError, match="use_karras_sigmas is not supported"):
        Shift.from_config({"use_karras_sigmas": True})
