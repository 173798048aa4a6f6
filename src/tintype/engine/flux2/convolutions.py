"""Convolutions of pictures with few channels, as CPUs do them faster; for inference alone.

An instruction multiplies 8 or 16 numbers, and a convolution to fewer channels leaves some of them idle.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

LANES = 16 if torch.backends.cpu.get_cpu_capability() == "AVX512" else 8
"""Single-precision numbers that one instruction multiplies."""


class SideBySide(nn.Module):
    """As a 3 × 3 convolution, for several columns at once: what its weights make of a wider window.

    Of channels-last pictures, a wide result in memory is the usual one.
    """

    def __init__(self, conv: nn.Conv2d, columns: int) -> None:
        super().__init__()
        self._conv, self._columns = conv, columns

    def forward(self, inputs: Tensor) -> Tensor:
        """(B, channels, height, width) → (B, other channels, height, width)."""
        if inputs.shape[-1] % self._columns:
            usual: Tensor = self._conv(inputs)
            return usual
        wide = functional.conv2d(inputs, *self._wide(), stride=(1, self._columns), padding=1)
        return _as_picture(wide.permute(0, 2, 3, 1), self._conv.out_channels)

    def _wide(self) -> tuple[Tensor, Tensor]:
        """Weights (columns · out, in, 3, columns + 2), and biases: few enough to be laid out each time."""
        weight, bias = self._conv.weight, self._conv.bias
        assert bias is not None
        wide = weight.new_zeros(self._columns, *weight.shape[:-1], self._columns + 2)
        for column in range(self._columns):
            wide[column, ..., column : column + 3] = weight
        return wide.flatten(0, 1).contiguous(memory_format=torch.channels_last), bias.repeat(self._columns)


class Enlarging(nn.Module):
    """As diffusers' `Upsample2D`, but for rounding: every number four times, then a 3 × 3 convolution.

    Each row of the result sees two rows of what is given, one of them by the sum of two rows of weights; and
    so do columns. That is less to multiply, and no larger picture of what is given.
    """

    def __init__(self, upsample: Any) -> None:
        super().__init__()
        self._conv = upsample.conv

    def forward(self, inputs: Tensor, output_size: None = None) -> Tensor:
        """(B, channels, height, width) → (B, channels, 2 · height, 2 · width)."""
        above, middle, below = self._conv.weight.unbind(2)
        bias = self._conv.bias.repeat(2)
        upper = _two_columns(torch.stack([above, middle + below], dim=2))
        lower = _two_columns(torch.stack([above + middle, below], dim=2))
        of_upper = functional.conv2d(inputs, upper, bias, padding=1)[:, :, :-1]
        of_lower = functional.conv2d(inputs, lower, bias, padding=1)[:, :, 1:]
        rows = torch.stack([of_upper.permute(0, 2, 3, 1), of_lower.permute(0, 2, 3, 1)], dim=2)
        return _as_picture(rows.flatten(1, 2), self._conv.out_channels)


def lighten_convolutions(decoder: Any) -> None:
    """Replace those of a VAE's decoder on a CPU."""
    from diffusers.models.upsampling import Upsample2D

    for parent in list(decoder.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, Upsample2D):
                setattr(parent, name, Enlarging(child))
            elif isinstance(child, nn.Conv2d) and not isinstance(parent, Upsample2D):
                columns = _columns(child)
                if columns > 1:
                    setattr(parent, name, SideBySide(child, columns))


def _columns(conv: nn.Conv2d) -> int:
    """How many fill the lanes; a power of two, as widths are multiples of one."""
    if (conv.kernel_size, conv.stride, conv.padding) != ((3, 3), (1, 1), (1, 1)):
        return 1
    return next((columns for columns in (4, 2) if columns * conv.out_channels <= LANES), 1)


def _as_picture(rows: Tensor, channels: int) -> Tensor:
    """(B, height, some columns at once, channels of all) → (B, channels, height, width)."""
    return rows.reshape(*rows.shape[:2], -1, channels).permute(0, 3, 1, 2)


def _two_columns(weight: Tensor) -> Tensor:
    """Weights (out, in, rows, 3) for an enlarged picture → (2 · out, in, rows, 3) for two of its columns,
    from the picture as it was."""
    left, middle, right = weight.unbind(3)
    nothing = torch.zeros_like(left)
    first = torch.stack([left, middle + right, nothing], dim=3)
    second = torch.stack([nothing, left + middle, right], dim=3)
    return torch.cat([first, second]).contiguous(memory_format=torch.channels_last)
