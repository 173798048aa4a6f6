"""Linear layers with their weights laid out for this CPU, once, by oneDNN.

PyTorch's own `nn.Linear` multiplies float32 with MKL. Measured on AMD EPYC at the sizes of the embedded
checkpoint, oneDNN with packed weights does 1.3 times as much on one thread and twice as much on two.
Results agree to float32 rounding. In bfloat16 a pass of the embedded checkpoint takes half of the time on a
CPU that multiplies it itself (Intel Xeon with AMX).
"""

from typing import Any

import torch
from torch import Tensor, nn

# A tracer knows no empty lists, but can write down the call of a function in TorchScript's own language.
_IN_TRACES = torch.jit.CompilationUnit("""
def multiply(inputs: Tensor, packed: Tensor, bias: Optional[Tensor]) -> Tensor:
    return torch.ops.mkldnn._linear_pointwise(inputs, packed, bias, "none", [], "")
""")


class PackedLinear(nn.Module):
    """As `nn.Linear` in float32 or bfloat16; cannot be trained, moved or saved."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.in_features, self.out_features = linear.in_features, linear.out_features
        packed = torch.ops.mkldnn._reorder_linear_weight(linear.weight.detach())
        self.register_buffer("_packed", packed, persistent=False)
        bias = None if linear.bias is None else linear.bias.detach()
        self.register_buffer("_bias", bias, persistent=False)

    def forward(self, inputs: Tensor) -> Tensor:
        """(…, in_features) → (…, out_features)."""
        outputs: Tensor
        if torch._C._get_tracing_state():
            outputs = _IN_TRACES.multiply(inputs, self._packed, self._bias)
        else:
            outputs = torch.ops.mkldnn._linear_pointwise(inputs, self._packed, self._bias, "none", [], "")
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
