"""What models take of a device's memory: before they are loaded, and after."""

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from tintype.engine.flux2.packed import PackedLinear
from tintype.engine.main_memory import main_memory

_GPU_SHARE = 0.8
_MAIN_SHARE = 0.5
_LAYER = ".layers."
_UNUSED = ("lm_head.",)


def default_budget(device: torch.device) -> int:
    """Bytes of the device that models may take; the rest is for drawing, and for everybody else."""
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory * _GPU_SHARE)
    return int(main_memory() * _MAIN_SHARE)


def bytes_of(*modules: Any, device: torch.device) -> int:
    """Of the modules' weights, as far as they are on the device."""
    weights = {id(tensor): tensor for module in modules for tensor in _tensors(module)}
    held = sum(tensor.nbytes for tensor in weights.values() if tensor.device.type == device.type)
    return held + sum(packed.nbytes for module in modules for packed in _packed(module))


def bytes_in_files(folder: Path, *, dtype: torch.dtype, layers: int | None = None) -> int:
    """What the weights of a folder will take in that number format, by the heads of its safetensors files.

    Of stacked layers only the first `layers` are counted. Raises `OSError` or `ValueError` for damaged files.
    """
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise FileNotFoundError(f"no weights (*.safetensors) in {folder.name}")
    shapes = [(name, entry["shape"]) for file in files for name, entry in _head(file).items()]
    return sum(_numbers(shape) * dtype.itemsize for name, shape in shapes if _is_loaded(name, layers))


def _head(file: Path) -> dict[str, Any]:
    with file.open("rb") as stream:
        (length,) = struct.unpack("<Q", stream.read(8))
        head: dict[str, Any] = json.loads(stream.read(length))
    head.pop("__metadata__", None)
    return head


def _is_loaded(name: str, layers: int | None) -> bool:
    if layers is None:
        return True
    number = f".{name}".partition(_LAYER)[2].partition(".")[0]
    return not name.startswith(_UNUSED) and not (number.isdigit() and int(number) >= layers)


def _numbers(shape: list[int]) -> int:
    count = 1
    for side in shape:
        count *= side
    return count


def _tensors(module: Any) -> Iterator[torch.Tensor]:
    yield from module.parameters()
    yield from module.buffers()


def _packed(module: Any) -> Iterator[PackedLinear]:
    return (child for child in module.modules() if isinstance(child, PackedLinear))
