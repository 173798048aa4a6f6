"""What draws: the weights of a model, and a LoRA on them."""

import math
from pathlib import Path
from typing import Self

import msgspec
from msgspec.structs import replace


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """Names what an engine is made of. Equal sources are one model in memory."""

    weights: str = ""
    """A folder or hub id in FLUX.2 format; empty: what the engine host was started with."""
    lora: str = ""
    """A file of low-rank weights that change the transformer's; empty: none do."""
    strength: float = 1.0
    """What the change is multiplied by."""

    @property
    def base(self) -> Self:
        """The same without the LoRA; itself if there is none."""
        return replace(self, lora="", strength=1.0) if self.lora else self

    @property
    def name(self) -> str:
        """For logs: no path, and no two sources of one folder alike."""
        weights = Path(self.weights).name or "default"
        return f"{weights} + {Path(self.lora).stem} × {self.strength:g}" if self.lora else weights


def check_strength(strength: float) -> None:
    """Raises ValueError."""
    if not math.isfinite(strength) or strength == 0:
        raise ValueError(f"strength must be a number other than 0, not {strength!r}")
