"""The safetensors files of a part, whole or in shards: which there are, and what is in them.

Reads their headers alone. Imports no tensor library.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open

DIFFUSERS_STEM = "diffusion_pytorch_model"
TRANSFORMERS_STEM = "model"

Shape = tuple[int, ...]


@dataclass(frozen=True)
class TensorFiles:
    """Files that are there and complete."""

    paths: tuple[Path, ...]
    shapes: Mapping[str, Shape]
    """Of every tensor, by name."""


def open_files(folder: Path, stem: str) -> TensorFiles:
    """Raises `ValueError`, naming the file that is missing or damaged."""
    index = folder / f"{stem}.safetensors.index.json"
    whole = folder / f"{stem}.safetensors"
    if index.is_file():
        names = sorted(set(json.loads(index.read_text("utf-8"))["weight_map"].values()))
        paths = tuple(folder / name for name in names)
    else:
        paths = (whole,)
    shapes: dict[str, Shape] = {}
    for path in paths:
        if not path.is_file():
            raise ValueError(f"{path.name} is missing")
        try:
            with safe_open(path, framework="numpy") as tensors:
                shapes |= {name: tuple(tensors.get_slice(name).get_shape()) for name in tensors.keys()}  # noqa: SIM118
        except SafetensorError as error:
            raise ValueError(f"{path.name} is damaged or cut short ({error})") from error
    return TensorFiles(paths, shapes)
