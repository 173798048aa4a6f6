"""A diffusers folder in, a module out: `config.json` and safetensors, whole or in shards.

Built without memory of its own and filled from the files, so that loading costs one read of the weights.
"""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

_STEM = "diffusion_pytorch_model"


def load_module(kind: Any, folder: Path, *, device: torch.device, dtype: torch.dtype) -> Any:
    """A module of that diffusers class, for inference.

    Raises `OSError` for missing files, `ValueError` or `safetensors.SafetensorError` for damaged ones.
    """
    config = json.loads((folder / "config.json").read_text())
    with torch.device("meta"):
        module = kind.from_config(config)
    tensors = {
        name: tensor.to(dtype) if tensor.is_floating_point() else tensor
        for name, tensor in read_tensors(folder, device).items()
    }
    loaded = module.load_state_dict(tensors, strict=False, assign=True)
    if loaded.missing_keys:
        raise ValueError(f"weights lack {_some(loaded.missing_keys)}")
    if loaded.unexpected_keys:
        raise ValueError(f"weights hold unknown {_some(loaded.unexpected_keys)}")
    return module.requires_grad_(False).eval()


def read_tensors(folder: Path, device: torch.device) -> dict[str, Tensor]:
    """All tensors of the folder, by name. Raises as `load_module`."""
    index = folder / f"{_STEM}.safetensors.index.json"
    if index.is_file():
        shards = sorted(set(json.loads(index.read_text())["weight_map"].values()))
    else:
        shards = [f"{_STEM}.safetensors"]
    tensors: dict[str, Tensor] = {}
    for shard in shards:
        tensors |= load_file(folder / shard, device=str(device))
    return tensors


def _some(names: list[str]) -> str:
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"{names[0]}{more}"
