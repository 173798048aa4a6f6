"""Linear layers that multiply in 8-bit floating point, on tensor cores that can.

Every output of the layer has a scale for its weights, set once, and every token one for its inputs, set
anew in each pass. So what becomes of a token depends on nothing but that token, in whatever company.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import ScalingType, scaled_mm

_FORMAT = torch.float8_e4m3fn
_LARGEST = torch.finfo(_FORMAT).max
_WHOLE = 16
"""Features come in multiples of this."""


class Float8Linear(nn.Module):
    """As `nn.Linear` without bias; its results are rounded to bfloat16. Cannot be trained."""

    weight: Tensor
    scale: Tensor

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.in_features, self.out_features = linear.in_features, linear.out_features
        weight, scale = _scaled(linear.weight.detach())
        self.register_buffer("weight", weight.t())  # (inputs, outputs), column by column as the product wants
        self.register_buffer("scale", scale.t())

    def forward(self, inputs: Tensor) -> Tensor:
        """(…, in_features) → (…, out_features)."""
        rows, scale = _scaled(inputs.reshape(-1, self.in_features))
        product = scaled_mm(
            rows,
            self.weight,
            scale,
            ScalingType.RowWise,
            self.scale,
            ScalingType.RowWise,
            output_dtype=torch.bfloat16,
            use_fast_accum=rows.is_cuda,
        )
        return product.view(*inputs.shape[:-1], self.out_features).to(inputs.dtype)


def _scaled(rows: Tensor) -> tuple[Tensor, Tensor]:
    """(rows, features) → the same in 8 bits, and (rows, 1) float32 to multiply it with."""
    scale = rows.abs().amax(dim=-1, keepdim=True).float().clamp(min=1e-12) / _LARGEST
    return (rows.float() / scale).clamp(-_LARGEST, _LARGEST).to(_FORMAT), scale


def use_float8(module: Any) -> int:
    """Replace every linear layer within the module that can be; how many."""
    replaced = 0
    for parent in list(module.modules()):
        for name, child in list(parent.named_children()):
            if type(child) is nn.Linear and _fits(child):
                setattr(parent, name, Float8Linear(child))
                replaced += 1
    return replaced


def _fits(linear: nn.Linear) -> bool:
    whole = linear.in_features % _WHOLE == 0 and linear.out_features % _WHOLE == 0
    return whole and getattr(linear, "bias", None) is None
