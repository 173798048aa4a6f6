"""Residual blocks of a VAE that go over memory less often.

Pictures are large and these blocks do little with each number, so what counts is how often they are written
and read. diffusers' block adds into a new tensor and divides it by 1; activations have one of their own.
"""

from typing import Any

from torch import Tensor, nn
from torch.nn import functional


class Residual(nn.Module):
    """As diffusers' `ResnetBlock2D` in a VAE, to the bit; for inference alone."""

    def __init__(self, block: Any) -> None:
        super().__init__()
        self._norm1, self._conv1 = block.norm1, block.conv1
        self._norm2, self._conv2 = block.norm2, block.conv2
        self._shortcut = block.conv_shortcut

    def forward(self, inputs: Tensor, temb: None = None) -> Tensor:
        """(B, channels, height, width) → (B, other channels, height, width)."""
        outputs: Tensor = self._norm1(inputs)
        outputs = self._conv1(functional.silu(outputs, inplace=True))
        outputs = self._norm2(outputs)  # a statement of its own, so that what comes in is let go
        outputs = self._conv2(functional.silu(outputs, inplace=True))
        return outputs.add_(inputs if self._shortcut is None else self._shortcut(inputs))


def lighten(vae: Any) -> None:
    """Replace the residual blocks of the VAE."""
    from diffusers.models.resnet import ResnetBlock2D

    for parent in list(vae.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, ResnetBlock2D) and _is_plain(child):
                setattr(parent, name, Residual(child))


def _is_plain(block: Any) -> bool:
    """Without anything that a VAE has no use for."""
    extras = (block.time_emb_proj, block.upsample, block.downsample)
    return not any(extras) and isinstance(block.nonlinearity, nn.SiLU) and block.output_scale_factor == 1
