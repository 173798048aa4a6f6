"""Where single precision ends in a transformer that computes in fewer bits.

Its forward rounds times and guidance to the number format of the latents it is given, before they become
waves: bfloat16 knows no number between 948 and 952. So it is given latents in float32, and rounding is left
to the layers behind which float32 is not needed any more.
"""

from typing import Any

import torch
from torch import Tensor


def take_float32(transformer: Any, dtype: torch.dtype) -> None:
    """Have the transformer, whose layers compute in `dtype`, take latents, times and guidance in float32.

    Once for a transformer; harmless where it computes in float32.
    """

    def rounded(_layer: Any, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return (inputs[0].to(dtype), *inputs[1:])

    if dtype == torch.float32 or getattr(transformer, "_takes_float32", False):
        return
    times = transformer.time_guidance_embed
    embedders = (times.timestep_embedder, getattr(times, "guidance_embedder", None))
    for layer in (transformer.x_embedder, *(embedder.linear_1 for embedder in embedders if embedder)):
        layer.register_forward_pre_hook(rounded)
    transformer._takes_float32 = True
