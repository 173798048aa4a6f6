"""What models take of a device's memory: before they are loaded, and after."""

import math
from collections.abc import Iterator
from typing import Any

import torch

from tintype.domain.placement import Quantisation
from tintype.engine.flux2.tensor_files import TensorFiles
from tintype.engine.main_memory import main_memory

_GPU_SHARE = 0.8
_MAIN_SHARE = 0.5
_LAYER = ".layers."
_UNUSED = ("lm_head.", "language_model.lm_head.", "vision_tower.", "multi_modal_projector.")
_EMBEDDINGS = "embed_tokens"
_ITEMS = {Quantisation.INT8: 1.0, Quantisation.NF4: 0.52}
"""Bytes of a weight of a linear layer."""


def memory_of(device: torch.device) -> int:
    """Bytes that the device has."""
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory)
    return main_memory()


def budget_of_models(device: torch.device, total: int, *, wish: int, jobs: int, first: int) -> int:
    """Bytes of the device's `total` that models may take; the rest is for drawing, and for everybody else.

    `wish` and `jobs` are what the settings say of models and of jobs, 0 for nothing; `first` is what the
    model takes that is there already.

    Raises `ValueError` if models and jobs may take more together than there is.
    """
    usual = int(total * (_GPU_SHARE if device.type == "cuda" else _MAIN_SHARE))
    models = wish or max(first, min(usual, total - jobs))
    if models + jobs > total:
        raise ValueError(
            f"models may take {_gib(models)} GiB (TINTYPE_MODEL_MEMORY) and jobs {_gib(jobs)} GiB "
            f"(TINTYPE_MEMORY_MB), but {device} has {_gib(total)} GiB"
        )
    return models


def _gib(size: int) -> str:
    return f"{size / 2**30:.3g}"


def bytes_of(*modules: Any, device: torch.device) -> int:
    """Of the modules' weights, as far as they are on the device."""
    weights = {id(tensor): tensor for module in modules for tensor in _tensors(module)}
    return sum(_nbytes(tensor) for tensor in weights.values() if tensor.device.type == device.type)


def bytes_in_files(
    files: TensorFiles,
    *,
    dtype: torch.dtype,
    quantisation: Quantisation = Quantisation.NONE,
    layers: int | None = None,
) -> int:
    """What the weights of the files will take in that number format and in so many bits.

    Of stacked layers only the first `layers` are counted.
    """
    item = _ITEMS.get(quantisation, dtype.itemsize)
    return round(
        sum(
            math.prod(shape) * (item if len(shape) == 2 and _EMBEDDINGS not in name else dtype.itemsize)
            for name, shape in files.shapes.items()
            if _is_loaded(name, layers)
        )
    )


def _is_loaded(name: str, layers: int | None) -> bool:
    if layers is None:
        return True
    number = f".{name}".partition(_LAYER)[2].partition(".")[0]
    return not name.startswith(_UNUSED) and not (number.isdigit() and int(number) >= layers)


def _tensors(module: Any) -> Iterator[torch.Tensor]:
    yield from module.parameters()
    yield from module.buffers()


def _nbytes(tensor: Any) -> int:
    """Also of tensors that are made of others, as quantised ones are."""
    if not hasattr(tensor, "__tensor_flatten__"):
        return int(tensor.nbytes)
    names, _ = tensor.__tensor_flatten__()
    return sum(_nbytes(getattr(tensor, name)) for name in names)
