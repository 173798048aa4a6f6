"""Linear layers with their weights laid out for this CPU, once, by oneDNN.

PyTorch's own `nn.Linear` multiplies float32 with MKL. Measured on AMD EPYC at the sizes of the embedded
checkpoint, oneDNN with packed weights does 1.3 times as much on one thread and twice as much on two.
Results agree to float32 rounding. In bfloat16 a pass of the embedded checkpoint takes half of the time on a
CPU that multiplies it itself (Intel Xeon with AMX).
"""

from typing import Any

import torch
from torch import Tensor, nn


class PackedLinear(nn.Module):
    """As `nn.Linear` in float32 or bfloat16; cannot be trained, moved or saved."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.in_features, self.out_features = linear.in_features, linear.out_features
        self._itemsize = linear.weight.itemsize
        self._packed = torch.ops.mkldnn._reorder_linear_weight(linear.weight.detach())
        self._bias = None if linear.bias is None else linear.bias.detach()

    @property
    def nbytes(self) -> int:
        bias = 0 if self._bias is None else self._bias.nbytes
        return self.in_features * self.out_features * self._itemsize + bias

    def forward(self, inputs: Tensor) -> Tensor:
        """(…, in_features) → (…, out_features)."""
        outputs: Tensor = torch.ops.mkldnn._linear_pointwise(inputs, self._packed, self._bias, "none", [], "")
        return outputs


def pack_linears(module: Any) -> None:
    """Replace every linear layer within the module whose numbers oneDNN multiplies on this machine."""
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return
    formats = [torch.float32]
    if torch.ops.mkldnn._is_mkldnn_bf16_supported():
        formats.append(torch.bfloat16)
    for parent in list(module.modules()):
        for name, child in list(parent.named_children()):
            if type(child) is nn.Linear and child.weight.dtype in formats:
                setattr(parent, name, PackedLinear(child))
