"""LoRAs: low-rank changes to a transformer that is in memory already, made for one forward at a time.

Files are read in any of the formats that diffusers reads for FLUX.2 (its own, PEFT's, kohya's, ai-toolkit's).
Hu et al.: LoRA, https://arxiv.org/abs/2106.09685: W·x becomes W·x + strength · B·(A·x).
"""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor, nn
from torch.nn import functional

from tintype.domain.errors import BadCheckpoint
from tintype.engine.flux2.accelerated import FUSED

_PREFIX = "transformer."
_CONFIG = "lora_adapter_metadata"
_DOWN, _UP = ".lora_A.weight", ".lora_B.weight"


@dataclass(frozen=True)
class Change:
    """What a LoRA does to one linear layer."""

    down: Tensor
    """(rank, in_features)."""
    up: Tensor
    """(out_features, rank), scaled by alpha."""

    @property
    def nbytes(self) -> int:
        return self.down.nbytes + self.up.nbytes


Lora = Mapping[str, Change]
"""Module names of the transformer, and what becomes of them."""


def read_lora(path: Path, *, device: torch.device, dtype: torch.dtype) -> Lora:
    """The file's changes. Raises `BadCheckpoint`, with one line that says what is wrong with it."""
    from diffusers.loaders.lora_pipeline import Flux2LoraLoaderMixin

    with _reading(path):
        tensors, config = _read(path)
        if any("lokr_" in name or "dora_scale" in name or "magnitude" in name for name in tensors):
            raise ValueError("it is a LoKr or DoRA; only plain LoRAs can be used")
        tensors = Flux2LoraLoaderMixin.lora_state_dict(tensors)
        return {
            name: Change(
                down=down.to(device, dtype),
                up=(up.float() * _scale(name, down.shape[0], config)).to(device, dtype),
            )
            for name, down, up in _pairs(tensors)
        }


class WithLora:
    """A transformer under a LoRA, to be called like the transformer itself, by the thread that steps.

    The layers are changed for the time of a forward alone, so that the base stays what was compiled and
    recorded, and nothing is compiled in the middle of the steps: the changed forward runs as it is written.
    """

    def __init__(self, transformer: Any, lora: Lora, *, strength: float) -> None:
        """Raises `ValueError` if the LoRA was made for another transformer."""
        self._transformer = transformer
        self._compiled = [module for module in transformer.modules() if module._compiled_call_impl]
        modules = dict(transformer.named_modules())
        adapted: dict[str, Adapted] = {}
        for name, change in lora.items():
            layer_name, part, parts = _place(name, modules)
            if layer_name not in modules:
                raise ValueError(f"it changes {name}, which this transformer does not have")
            layer = modules[layer_name]
            _check_fit(name, layer, change, parts)
            made = adapted.setdefault(layer_name, Adapted(layer, strength))
            made.add(change, part * len(change.up))
        self._changes = []
        for name, made in adapted.items():
            parent, _, child = name.rpartition(".")
            self._changes.append((modules[parent]._modules, child, made))

    def __call__(self, **inputs: Any) -> Any:
        with self._changed():
            return self._transformer(**inputs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transformer, name)

    @contextmanager
    def _changed(self) -> Iterator[None]:
        compiled = [(module, module._compiled_call_impl) for module in self._compiled]
        try:
            for module, _ in compiled:
                module._compiled_call_impl = None
            for layers, child, adapted in self._changes:
                layers[child] = adapted
            yield
        finally:
            for layers, child, adapted in self._changes:
                layers[child] = adapted.base
            for module, code in compiled:
                module._compiled_call_impl = code


class Adapted(nn.Module):
    """A linear layer of any kind, and the changes that a LoRA makes to it."""

    def __init__(self, base: nn.Module, strength: float) -> None:
        super().__init__()
        self.base = base
        self.in_features, self.out_features = base.in_features, base.out_features
        self._changes: list[tuple[Change, int]] = []
        self._strength = strength

    def add(self, change: Change, start: int) -> None:
        """The change is to the outputs from `start` on."""
        self._changes.append((change, start))

    def forward(self, inputs: Tensor) -> Tensor:
        """(…, in_features) → (…, out_features)."""
        outputs: Tensor = self.base(inputs)
        for change, start in self._changes:
            lower = functional.linear(inputs.to(change.down.dtype), change.down)
            added = functional.linear(lower, change.up)
            outputs[..., start : start + len(change.up)] += (self._strength * added).to(outputs.dtype)
        return outputs


def _place(name: str, modules: Mapping[str, Any]) -> tuple[str, int, int]:
    """The layer that has what the name says, which part of its outputs that is, and of how many."""
    parent, _, child = name.rpartition(".")
    for fused, projections in FUSED.items():
        if child in projections and name not in modules and f"{parent}.{fused}" in modules:
            return f"{parent}.{fused}", projections.index(child), len(projections)
    return name, 0, 1


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no dict
        config = json.loads((file.metadata() or {}).get(_CONFIG, "{}"))
    if not tensors:
        raise ValueError("it is empty")
    if broken := [name for name, tensor in tensors.items() if not torch.isfinite(tensor).all()]:
        raise ValueError(f"{broken[0]} holds values that are not numbers")
    return tensors, {name.removeprefix(_PREFIX): value for name, value in config.items()}


def _pairs(tensors: Mapping[str, Tensor]) -> Iterator[tuple[str, Tensor, Tensor]]:
    """Module names with both halves. Raises `ValueError` for anything that would be left over."""
    if foreign := [name for name in tensors if not name.startswith(_PREFIX)]:
        raise ValueError(f"{foreign[0]} is not of a FLUX.2 transformer")
    names = {name.removesuffix(_DOWN).removesuffix(_UP) for name in tensors}
    for name in sorted(names):
        down, up = tensors.get(name + _DOWN), tensors.get(name + _UP)
        if down is None or up is None:
            raise ValueError(f"{name} has no two halves of low rank")
        if down.ndim != 2 or up.ndim != 2 or down.shape[0] != up.shape[1]:
            raise ValueError(f"the halves of {name} do not fit each other")
        yield name.removeprefix(_PREFIX), down, up


def _scale(module: str, rank: int, config: Mapping[str, Any]) -> float:
    """Alpha by rank, as the file's PEFT configuration says; 1 without one."""
    patterns: Mapping[str, float] = config.get("alpha_pattern") or {}
    fitting = (alpha for key, alpha in patterns.items() if re.match(rf"(.*\.)?({key})$", module))
    alpha = float(next(fitting, config.get("lora_alpha", rank)))
    return alpha / (rank**0.5 if config.get("use_rslora") else rank)


def _check_fit(name: str, layer: Any, change: Change, parts: int) -> None:
    """Whether the change is one of a part of the layer's outputs."""
    if not hasattr(layer, "out_features"):
        raise ValueError(f"it changes {name}, which is no linear layer")
    shape = layer.out_features // parts, layer.in_features
    changed = change.up.shape[0], change.down.shape[1]
    if shape != changed:
        sides = "{1} to {0}".format
        raise ValueError(f"it changes {name} from {sides(*changed)} features, which is {sides(*shape)} here")


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        what = " ".join(str(error).split())[:300] or type(error).__name__
        raise BadCheckpoint(path=path, problem=f"lora: {what}") from error
