"""The VAE's residual blocks, made lighter."""

import copy
from typing import Any

import pytest
import torch
from diffusers import AutoencoderKLFlux2
from diffusers.models.resnet import ResnetBlock2D

from tintype.engine.flux2.residuals import Residual, lighten


@pytest.fixture(scope="module")
def vae() -> Any:
    torch.manual_seed(0)
    made = AutoencoderKLFlux2(
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        block_out_channels=(8, 16),
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=4,
    )
    return made.requires_grad_(False).eval()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@torch.inference_mode()
def test_the_pictures_are_the_same_to_the_bit(vae: Any, dtype: torch.dtype) -> None:
    usual = copy.deepcopy(vae).to(dtype)
    light = copy.deepcopy(usual)
    lighten(light)
    picture = torch.rand(1, 3, 64, 96).to(dtype) * 2 - 1

    latents = usual.encode(picture).latent_dist.mode()

    assert torch.equal(light.encode(picture).latent_dist.mode(), latents)
    assert torch.equal(light.decode(latents).sample, usual.decode(latents).sample)
    assert {module._shortcut is None for module in light.modules() if isinstance(module, Residual)} == {
        True,
        False,
    }
    assert not any(isinstance(module, ResnetBlock2D) for module in light.modules())


def test_a_block_that_does_more_is_left_as_it_is() -> None:
    model = torch.nn.Sequential(
        ResnetBlock2D(in_channels=32, temb_channels=8),
        ResnetBlock2D(in_channels=32, temb_channels=None, up=True),
        ResnetBlock2D(in_channels=32, temb_channels=None, output_scale_factor=2.0),
        ResnetBlock2D(in_channels=32, temb_channels=None, non_linearity="mish"),
    )
    before = list(model)

    lighten(model)

    assert list(model) == before
