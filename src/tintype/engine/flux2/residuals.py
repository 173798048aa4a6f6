"""Residual blocks and norms of a VAE that go over memory less often.

Pictures are large and these blocks do little with each number, so what counts is how often they are written
and read. diffusers' block adds into a new tensor and divides it by 1; activations have one of their own.
"""

from typing import Any

import torch
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


class WholeNorm(nn.Module):
    """As a group norm of one group, but for rounding; for inference alone.

    PyTorch's own is slow on few channels that lie beside each other: 3 ms of a core for 8 × 512 × 768 numbers
    in float32 and 13 in bfloat16, which takes 2.5 and 1.7 here (Xeon with AMX).
    """

    def __init__(self, norm: nn.GroupNorm) -> None:
        super().__init__()
        self._norm = norm

    def forward(self, inputs: Tensor) -> Tensor:
        """(B, channels, height, width) → the same shape."""
        batch, channels, height, width = inputs.shape
        if batch > 1 or inputs.stride(1) != 1:
            outputs: Tensor = self._norm(inputs)
            return outputs
        rows = inputs.permute(0, 2, 3, 1).reshape(height, width * channels)
        # Of each row, since what they come to is rounded to the rows' format.
        mean = rows.sum(1).float().sum() / rows.numel()
        square = torch.linalg.vector_norm(rows, dim=1).float().square().sum() / rows.numel()
        variance = (square - mean.square()).clamp_min(0)
        scale = self._norm.weight.float() * (variance + self._norm.eps).rsqrt()
        shift = self._norm.bias.float() - mean * scale
        scales, shifts = (each.to(rows.dtype).repeat(width) for each in (scale, shift))
        return torch.addcmul(shifts, rows, scales).view(1, height, width, channels).permute(0, 3, 1, 2)


def lighten(vae: Any, *, device: torch.device) -> None:
    """Replace the residual blocks of the VAE, and on a CPU the norms that are slow there."""
    from diffusers.models.resnet import ResnetBlock2D

    for parent in list(vae.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, ResnetBlock2D) and _is_plain(child):
                setattr(parent, name, Residual(child))
    for parent in list(vae.modules()) if device.type == "cpu" else ():
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.GroupNorm) and child.num_groups == 1:
                setattr(parent, name, WholeNorm(child))


def _is_plain(block: Any) -> bool:
    """Without anything that a VAE has no use for."""
    extras = (block.time_emb_proj, block.upsample, block.downsample)
    return not any(extras) and isinstance(block.nonlinearity, nn.SiLU) and block.output_scale_factor == 1
