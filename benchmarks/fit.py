"""Which settings fit which card: bytes of weights, derived from the published shapes. Nothing is measured.

    python benchmarks/fit.py

Counts parameters of models that are built without memory, in the number format and bits of each setting:
int8 is a byte for each weight of a linear layer and two for each of its outputs, nf4 is 4.127 bits for each
weight, and everything else is bfloat16. Of what is offloaded the device holds what lies outside the blocks,
the largest block and the one that comes next.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import nn

from tintype.domain.placement import Offload, Quantisation
from tintype.engine.flux2.quantising import KEPT_WHOLE

GIB = 2**30
BFLOAT16 = 2
NF4 = (4 + 8 / 64 + 32 / (64 * 256)) / 8
"""Bytes for each weight: 4 bits, a scale of 8 bits for 64, and one of 32 bits for 256 of those."""
WORK = 4.0
"""GiB for steps and decoding of one job of 1024 × 1024, and for CUDA: an estimate, see docs/weights.md."""
CARDS = (12, 24, 48, 80)
"""GiB."""

TRANSFORMERS = {
    "klein": {
        "num_layers": 5,
        "num_single_layers": 20,
        "num_attention_heads": 24,
        "joint_attention_dim": 7680,
    },
    "dev": {
        "num_layers": 8,
        "num_single_layers": 48,
        "num_attention_heads": 48,
        "joint_attention_dim": 15360,
        "guidance_embeds": True,
    },
}
TEXTS = {
    "klein": {"hidden_size": 2560, "intermediate_size": 9728, "vocab_size": 151936, "num_hidden_layers": 27},
    "dev": {"hidden_size": 5120, "intermediate_size": 32768, "vocab_size": 131072, "num_hidden_layers": 30},
}
"""Qwen3-4B and Mistral-Small-3.2-24B, up to the last layer used."""
ROWS = (
    ("klein", Offload.NONE, Quantisation.NONE),
    ("klein", Offload.TEXT, Quantisation.NONE),
    ("klein", Offload.NONE, Quantisation.INT8),
    ("klein", Offload.TEXT, Quantisation.INT8),
    ("klein", Offload.ALL, Quantisation.NONE),
    ("klein", Offload.NONE, Quantisation.NF4),
    ("dev", Offload.NONE, Quantisation.NONE),
    ("dev", Offload.TEXT, Quantisation.NONE),
    ("dev", Offload.NONE, Quantisation.INT8),
    ("dev", Offload.TEXT, Quantisation.INT8),
    ("dev", Offload.NONE, Quantisation.NF4),
    ("dev", Offload.TEXT, Quantisation.NF4),
    ("dev", Offload.ALL, Quantisation.INT8),
    ("dev", Offload.ALL, Quantisation.NONE),
)


@dataclass(frozen=True)
class Part:
    """Bytes of one module."""

    outside: float
    """Of what lies in no block."""
    blocks: tuple[float, ...]

    @property
    def whole(self) -> float:
        return self.outside + sum(self.blocks)

    @property
    def passing(self) -> float:
        """What the device holds at once of an offloaded one."""
        return self.outside + 2 * max(self.blocks)


@dataclass(frozen=True)
class Fit:
    """A row of the table, in GiB."""

    model: str
    offload: Offload
    quantisation: Quantisation
    device: float
    main: float

    @property
    def cards(self) -> list[int]:
        return [card for card in CARDS if self.device + WORK <= card]


def fit(model: str, offload: Offload, quantisation: Quantisation) -> Fit:
    """What the weights of the model take under the settings."""
    offloads_text, offloads_transformer = offload is not Offload.NONE, offload is Offload.ALL
    text_bits = Quantisation.NONE if offloads_text and quantisation is Quantisation.NF4 else quantisation
    text = _part(_text(model), text_bits)
    transformer = _part(_transformer(model), quantisation)
    vae = _part(_vae(), Quantisation.NONE)
    device = sum(
        part.passing if offloaded else part.whole
        for part, offloaded in ((text, offloads_text), (transformer, offloads_transformer), (vae, False))
    )
    main = offloads_text * text.whole + offloads_transformer * transformer.whole
    return Fit(model, offload, quantisation, device / GIB, main / GIB)


def table() -> Iterator[str]:
    """The rows of docs/weights.md."""
    for row in ROWS:
        fitted = fit(*row)
        cards = ", ".join(map(str, fitted.cards)) or "none"
        main = f"{fitted.main:.1f}" if fitted.main else "–"
        yield (
            f"| {fitted.model} | `{fitted.offload}` | `{fitted.quantisation}` | {fitted.device:.1f} "
            f"| {main} | {cards} |"
        )


def _part(module: nn.Module, quantisation: Quantisation) -> Part:
    blocks: dict[str, float] = {}
    outside = 0.0
    for name, parameter in module.named_parameters():
        size = _size(module, name, parameter, quantisation)
        head, _, rest = name.partition(".")
        number = rest.partition(".")[0]
        if number.isdigit():
            blocks[f"{head}.{number}"] = blocks.get(f"{head}.{number}", 0.0) + size
        else:
            outside += size
    return Part(outside, tuple(blocks.values()) or (0.0,))


def _size(module: nn.Module, name: str, parameter: Any, quantisation: Quantisation) -> float:
    linear = isinstance(module.get_submodule(name.rpartition(".")[0]), nn.Linear) and parameter.ndim == 2
    if not linear or quantisation is Quantisation.NONE or name.startswith(KEPT_WHOLE):
        return float(parameter.numel() * BFLOAT16)
    if quantisation is Quantisation.INT8:
        return float(parameter.numel() + parameter.shape[0] * BFLOAT16)
    return float(parameter.numel() * NF4)


@cache
def _transformer(model: str) -> nn.Module:
    from diffusers import Flux2Transformer2DModel

    shape: Mapping[str, Any] = TRANSFORMERS[model]
    with torch.device("meta"):
        return Flux2Transformer2DModel(**({"guidance_embeds": False} | shape))


@cache
def _text(model: str) -> nn.Module:
    from transformers import MistralConfig, MistralModel, Qwen3Config, Qwen3Model

    kind, config = {"klein": (Qwen3Model, Qwen3Config), "dev": (MistralModel, MistralConfig)}[model]
    heads = {"num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": 128}
    with torch.device("meta"):
        return kind(config(**TEXTS[model], **heads))


@cache
def _vae() -> nn.Module:
    from diffusers import AutoencoderKLFlux2

    with torch.device("meta"):
        return AutoencoderKLFlux2()


if __name__ == "__main__":
    for line in table():
        print(line)
