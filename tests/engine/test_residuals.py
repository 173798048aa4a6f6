"""The VAE's residual blocks and norms, made lighter."""

import copy
from typing import Any

import pytest
import torch
from diffusers import AutoencoderKLFlux2
from diffusers.models.resnet import ResnetBlock2D
from torch import nn

from tintype.engine.flux2.residuals import Residual, WholeNorm, lighten

CPU = torch.device("cpu")


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
    lighten(light, device=CPU)
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

    lighten(model, device=CPU)

    assert list(model) == before


@pytest.mark.parametrize(("dtype", "least"), [(torch.float32, 1e-6), (torch.bfloat16, 0.0)])
@torch.inference_mode()
def test_norms_of_one_group_are_the_same_but_for_rounding(dtype: torch.dtype, least: float) -> None:
    torch.manual_seed(0)
    norm = nn.GroupNorm(1, 8).requires_grad_(False)
    nn.init.uniform_(norm.weight, 0.5, 2.0)
    nn.init.normal_(norm.bias)
    given = (3 + 2 * torch.randn(1, 8, 96, 64)).to(dtype).to(memory_format=torch.channels_last)
    usual = copy.deepcopy(norm).to(dtype)
    light = WholeNorm(usual)

    exact = norm.double()(given.double())

    usual_error, light_error = ((each(given) - exact).norm() / exact.norm() for each in (usual, light))
    assert light_error < 1.5 * usual_error + least
    assert light(given).is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("shape", [(2, 8, 16, 24), (1, 8, 5, 7)])
@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
@torch.inference_mode()
def test_pictures_of_any_shape_and_layout_are_normed(
    shape: tuple[int, ...], layout: torch.memory_format, dtype: torch.dtype
) -> None:
    norm = nn.GroupNorm(1, 8).to(dtype)
    given = torch.randn(shape).to(dtype).to(memory_format=layout)

    made = WholeNorm(norm)(given)

    torch.testing.assert_close(made.float(), norm(given).float(), rtol=0.02, atol=0.02)


@torch.inference_mode()
def test_a_picture_of_one_number_is_normed_to_its_bias() -> None:
    norm = nn.GroupNorm(1, 8)
    nn.init.normal_(norm.bias)
    given = torch.full((1, 8, 16, 24), 1000.0).to(memory_format=torch.channels_last)

    made = WholeNorm(norm)(given)

    torch.testing.assert_close(made, norm.bias.view(1, 8, 1, 1).expand(made.shape), rtol=0, atol=0.1)


@pytest.mark.parametrize(
    ("groups", "device", "light"), [(1, "cpu", True), (2, "cpu", False), (1, "cuda", False)]
)
def test_norms_of_one_group_are_replaced_on_a_cpu(groups: int, device: str, light: bool) -> None:
    model = nn.Sequential(nn.GroupNorm(groups, 8))

    lighten(model, device=torch.device(device))

    assert isinstance(model[0], WholeNorm) is light
