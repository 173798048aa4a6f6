"""How the forward passes of a model are made faster, in the words of the settings.

Light: imports no tensor library.
"""

from dataclasses import dataclass, fields, replace
from enum import StrEnum

from tintype.domain.errors import BadAcceleration


class Use(StrEnum):
    """Whether something is used that not every machine can do."""

    AUTO = "auto"
    """On a GPU, if it works there; the log says if it does not."""
    ON = "on"
    """Or the model does not start."""
    OFF = "off"


@dataclass(frozen=True, kw_only=True)
class Acceleration:
    """What is wished for."""

    attention: str = "auto"
    """The implementation of attention, as diffusers calls it; `auto`: PyTorch chooses."""
    compile: Use = Use.AUTO
    """The transformer's blocks are compiled when the model is loaded."""
    graphs: Use = Use.AUTO
    """Small steps are launched as recorded CUDA graphs, in fixed numbers of rows."""
    fused: Use = Use.OFF
    """Query, key and value of the blocks with two streams come from one product instead of three."""
    fp8: Use = Use.OFF
    """The blocks' linear layers multiply in 8-bit floating point."""

    def __str__(self) -> str:
        said = [f"{part.name}={getattr(self, part.name)}" for part in fields(self)]
        plain = [f"{part.name}={part.default}" for part in fields(self)]
        return ",".join(word for word in said if word not in plain) or "auto"


NONE = Acceleration(compile=Use.OFF, graphs=Use.OFF)
_CHOICES = {"compile": tuple(Use), "graphs": tuple(Use), "fused": (Use.ON, Use.OFF), "fp8": (Use.ON, Use.OFF)}


def read_acceleration(text: str) -> Acceleration:
    """From its text: `auto`, `off`, or such for single parts: `compile=on,graphs=off,attention=native`.

    Raises BadAcceleration.
    """
    if text in ("auto", "off"):
        return NONE if text == "off" else Acceleration()
    wishes = Acceleration()
    for word in text.split(","):
        part, _, choice = (piece.strip() for piece in word.partition("="))
        if part == "attention" and choice:
            wishes = replace(wishes, attention=choice)
        elif choice in _CHOICES.get(part, ()):
            wishes = replace(wishes, **{part: Use(choice)})
        else:
            raise BadAcceleration(text=text)
    return wishes
