"""Modules whose layers wait in the computer's memory and come to the device one after the other.

diffusers' group offloading: while a layer computes, the next one is on its way, from pinned memory and on a
stream of its own.
"""

from typing import Any

import torch

from tintype.domain.placement import Offload, Quantisation
from tintype.engine.flux2.quantising import demand_libraries


def demand_offload(offload: Offload, quantisation: Quantisation, device: torch.device) -> None:
    """Raises `ValueError` if the device or the installation cannot do it."""
    if offload is Offload.NONE:
        return
    if device.type != "cuda":
        raise ValueError(f"offload={offload} needs a cuda device, not {device}; right is none")
    if offload is Offload.ALL and quantisation is Quantisation.NF4:
        raise ValueError("quantisation=nf4 cannot be offloaded; right is int8 or none, or offload=text")
    demand_libraries("accelerate", of=f"offload={offload}")


def offload_layers(module: Any, device: torch.device) -> None:
    """From now on the module computes on the device and waits on the CPU, where it is now."""
    from diffusers.hooks import apply_group_offloading

    apply_group_offloading(
        module,
        onload_device=device,
        offload_device=torch.device("cpu"),
        offload_type="block_level",
        num_blocks_per_group=1,
        use_stream=device.type == "cuda",
        non_blocking=device.type == "cuda",
    )
