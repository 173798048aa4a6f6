"""What draws: the weights of a model, and a LoRA on them."""

import math
from pathlib import Path
from typing import Any, Self

import msgspec
from msgspec.structs import replace

from tintype.domain.placement import Dtype, Offload, Quantisation

BLANK = "blank:"
"""Weights that are none: pictures are plain grey."""


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """Names what an engine is made of. Equal sources are one model in memory."""

    weights: str = ""
    """A folder or hub id in FLUX.2 format; empty: what the engine host was started with."""
    dtype: Dtype | None = None
    """The number format it computes in; None: that of the engine host. So with the next two."""
    offload: Offload | None = None
    quantisation: Quantisation | None = None
    lora: str = ""
    """A file of low-rank weights that change the transformer's; empty: none do."""
    strength: float = 1.0
    """What the change is multiplied by."""

    @property
    def base(self) -> Self:
        """The same without the LoRA; itself if there is none."""
        return replace(self, lora="", strength=1.0) if self.lora else self

    @property
    def placement(self) -> dict[str, Any]:
        """What it says about how its weights are kept."""
        said = {"dtype": self.dtype, "offload": self.offload, "quantisation": self.quantisation}
        return {name: value for name, value in said.items() if value is not None}

    def apart_from(self, usual: Self) -> Self:
        """The same, where what is as usual is left unsaid."""
        said = {"weights": self.weights, **self.placement}
        unsaid = {"weights": "", "dtype": None, "offload": None, "quantisation": None}
        return replace(
            self, **{name: unsaid[name] for name, value in said.items() if value == getattr(usual, name)}
        )

    @property
    def name(self) -> str:
        """For logs: no path, and no two sources of one folder alike."""
        kept = [f"{name}={value}" for name, value in self.placement.items()]
        weights = " ".join([Path(self.weights).name or "default", *kept])
        return f"{weights} + {Path(self.lora).stem} × {self.strength:g}" if self.lora else weights


def check_strength(strength: float) -> None:
    """Raises ValueError."""
    if not math.isfinite(strength) or strength == 0:
        raise ValueError(f"strength must be a number other than 0, not {strength!r}")
