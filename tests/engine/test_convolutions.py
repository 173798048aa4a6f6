"""Convolutions of few channels, made faster for CPUs."""

import copy

import pytest
import torch
from diffusers import AutoencoderKLFlux2
from diffusers.models.upsampling import Upsample2D
from torch import nn

from tintype.engine.flux2.convolutions import LANES, Enlarging, SideBySide, lighten_convolutions

LAST = torch.channels_last


@pytest.fixture(autouse=True)
def without_gradients() -> object:
    torch.manual_seed(0)
    with torch.inference_mode():
        yield


@pytest.mark.parametrize("shape", [(1, 8, 6, 8), (2, 8, 3, 4), (1, 8, 1, 12), (1, 8, 5, 7)])
@pytest.mark.parametrize(("channels", "columns"), [(8, 2), (3, 4)])
def test_several_columns_at_once_are_what_they_are_one_by_one(
    channels: int, columns: int, shape: tuple[int, ...]
) -> None:
    conv = nn.Conv2d(8, channels, 3, padding=1)
    given = torch.randn(shape).to(memory_format=LAST)

    made = SideBySide(conv, columns)(given)

    torch.testing.assert_close(made, conv(given), rtol=1e-5, atol=1e-6)
    assert made.is_contiguous(memory_format=LAST)


@pytest.mark.parametrize("shape", [(1, 8, 6, 8), (2, 8, 3, 5), (1, 8, 1, 1)])
def test_to_enlarge_and_to_convolve_is_one_thing(shape: tuple[int, ...]) -> None:
    usual = Upsample2D(8, use_conv=True)
    given = torch.randn(shape).to(memory_format=LAST)

    made = Enlarging(usual)(given)

    torch.testing.assert_close(made, usual(given), rtol=1e-5, atol=1e-5)
    assert made.is_contiguous(memory_format=LAST)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_decoder_draws_the_same_but_for_rounding(dtype: torch.dtype) -> None:
    exact = AutoencoderKLFlux2(
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        block_out_channels=(LANES // 2, 16, 24),
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=1,
    ).requires_grad_(False)
    exact = exact.eval().to(memory_format=LAST)
    usual = copy.deepcopy(exact).to(dtype)
    light = copy.deepcopy(usual)
    lighten_convolutions(light.decoder)
    latents = torch.randn(1, 4, 8, 12).to(memory_format=LAST)

    wanted = exact.decode(latents).sample
    usual_error, light_error = (
        (vae.decode(latents.to(dtype)).sample - wanted).norm() for vae in (usual, light)
    )

    assert light_error < 1.2 * usual_error + 1e-5 * wanted.norm()
    made = [type(module) for module in light.decoder.modules()]
    assert made.count(Enlarging) == 2
    assert made.count(SideBySide) == 5  # of the outermost blocks, and the last one


@pytest.mark.parametrize(
    "conv",
    [
        nn.Conv2d(8, 3, 1),
        nn.Conv2d(8, 3, 3, stride=2, padding=1),
        nn.Conv2d(8, 3, 3),
        nn.Conv2d(8, LANES, 3, padding=1),
    ],
)
def test_other_convolutions_are_left_as_they_are(conv: nn.Conv2d) -> None:
    model = nn.Sequential(conv)

    lighten_convolutions(model)

    assert model[0] is conv
