"""A diffusers folder in, a module out: `config.json` and safetensors, whole or in shards.

Built without memory of its own and filled from the files, so that loading costs one read of the weights.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from tintype.domain.placement import Quantisation
from tintype.engine.flux2.quantising import load_quantised
from tintype.engine.flux2.tensor_files import DIFFUSERS_STEM, open_files

_KEPT_IN_FLOAT32 = ("bn.running_mean", "bn.running_var")
"""What latents are normalised with, in float32, by us: rounded they would shift every picture."""


def load_module(
    kind: Any,
    folder: Path,
    *,
    device: torch.device,
    dtype: torch.dtype,
    quantisation: Quantisation = Quantisation.NONE,
) -> Any:
    """A module of that diffusers class, for inference; also of a folder that is quantised already.

    Raises `OSError` or `ValueError` for missing and damaged files.
    """
    config = json.loads((folder / "config.json").read_text("utf-8"))
    name = config.get("_class_name", kind.__name__)
    if name != kind.__name__:
        raise ValueError(f"holds a {name}, where a {kind.__name__} is needed")
    files = open_files(folder, DIFFUSERS_STEM)
    if quantisation is not Quantisation.NONE or "quantization_config" in config:
        module = load_quantised(
            kind, folder, config=config, device=device, dtype=dtype, quantisation=quantisation
        )
    else:
        module = _filled(kind, config, read_tensors(files.paths, device, dtype))
    return module.requires_grad_(False).eval()


def read_tensors(paths: tuple[Path, ...], device: torch.device, dtype: torch.dtype) -> dict[str, Tensor]:
    """All tensors of the files, by name, on the device and in the number format."""
    tensors: dict[str, Tensor] = {}
    for path in paths:
        for name, tensor in load_file(path, device=str(device)).items():
            wanted = torch.float32 if name in _KEPT_IN_FLOAT32 else dtype
            tensors[name] = tensor.to(wanted) if tensor.is_floating_point() else tensor
    return tensors


def _filled(kind: Any, config: Mapping[str, Any], tensors: dict[str, Tensor]) -> Any:
    with torch.device("meta"):
        module = kind.from_config(config)
    loaded = module.load_state_dict(tensors, strict=False, assign=True)
    if loaded.missing_keys:
        raise ValueError(f"weights lack {_some(loaded.missing_keys)}")
    if loaded.unexpected_keys:
        raise ValueError(f"weights hold unknown {_some(loaded.unexpected_keys)}")
    return module


def _some(names: list[str]) -> str:
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"{names[0]}{more}"
