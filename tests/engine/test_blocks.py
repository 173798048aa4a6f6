"""The transformer's blocks, made lighter for CPUs."""

import copy
from typing import Any

import pytest
import torch
from diffusers.models.transformers.transformer_flux2 import Flux2Transformer2DModel
from torch import Tensor, nn

from tintype.engine.flux2.blocks import lighten_blocks
from tintype.engine.flux2.canvas import Canvas
from tintype.engine.flux2.layout import Layout, image_positions, text_positions


@pytest.fixture(scope="module")
def usual() -> Any:
    """With what makes mistakes show: biases nowhere, norms that differ, several blocks of each kind."""
    torch.manual_seed(0)
    made = Flux2Transformer2DModel(
        in_channels=16,
        num_layers=2,
        num_single_layers=2,
        attention_head_dim=32,
        num_attention_heads=3,
        joint_attention_dim=24,
        timestep_guidance_channels=32,
        mlp_ratio=2.0,
        axes_dims_rope=(8, 8, 8, 8),
        guidance_embeds=True,
    )
    for name, parameter in made.named_parameters():
        if "norm" in name and parameter.ndim == 1:
            nn.init.uniform_(parameter, 0.5, 2.0)
    return made.requires_grad_(False).eval()


@pytest.fixture(scope="module")
def light(usual: Any) -> Any:
    made = copy.deepcopy(usual)
    lighten_blocks(made)
    return made


def passed(rows: int, canvas: Canvas, text: int) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(rows)
    return {
        "hidden_states": torch.randn(rows, canvas.tokens, 16, generator=generator),
        "encoder_hidden_states": torch.randn(rows, text, 24, generator=generator),
        "timestep": torch.rand(rows, generator=generator),
        "guidance": 1 + 4 * torch.rand(rows, generator=generator),
        "img_ids": image_positions(Layout(canvas)),
        "txt_ids": text_positions(text),
        "return_dict": False,
    }


@pytest.mark.parametrize(("rows", "canvas", "text"), [(1, Canvas(4, 4), 7), (3, Canvas(3, 8), 5)])
@torch.inference_mode()
def test_velocities_are_the_same_but_for_rounding(
    usual: Any, light: Any, rows: int, canvas: Canvas, text: int
) -> None:
    inputs = passed(rows, canvas, text)

    expected: Tensor = usual(**inputs)[0]

    assert expected.std() > 0.1
    torch.testing.assert_close(light(**inputs)[0], expected, rtol=0, atol=2e-5)


@torch.inference_mode()
def test_in_bfloat16_they_are_no_further_from_float32_than_the_usual_blocks(usual: Any) -> None:
    half = copy.deepcopy(usual).to(torch.bfloat16)
    light_half = copy.deepcopy(half)
    lighten_blocks(light_half)
    inputs = passed(3, Canvas(4, 4), 7)
    halves = {
        name: value.to(torch.bfloat16) if isinstance(value, Tensor) and "ids" not in name else value
        for name, value in inputs.items()
    }

    exact = usual(**inputs)[0]

    usual_error, light_error = ((model(**halves)[0] - exact).norm() for model in (half, light_half))
    assert light_error < 1.2 * usual_error < 0.1 * exact.norm()


@torch.inference_mode()
def test_what_is_given_is_not_changed(light: Any) -> None:
    inputs = passed(2, Canvas(4, 4), 7)
    before = copy.deepcopy(inputs)

    first = light(**inputs)[0]

    assert all(torch.equal(inputs[name], before[name]) for name in ("hidden_states", "encoder_hidden_states"))
    assert torch.equal(light(**inputs)[0], first)


def test_layers_keep_their_names(usual: Any, light: Any) -> None:
    def layers(model: Any) -> set[str]:
        return {name for name, module in model.named_modules() if isinstance(module, nn.Linear)}

    assert layers(light) == layers(usual)
    assert {type(block).__module__ for block in light.transformer_blocks} == {lighten_blocks.__module__}
