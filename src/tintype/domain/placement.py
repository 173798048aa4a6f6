"""Where and in which numbers a checkpoint computes, in the words of the settings and of the catalogue."""

from dataclasses import dataclass
from enum import StrEnum


class Dtype(StrEnum):
    """The number format of weights and layers."""

    AUTO = "auto"
    """bfloat16 on GPUs that have it, else float32."""
    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"


class Offload(StrEnum):
    """What waits in the computer's memory, and comes to the device layer by layer when it computes."""

    NONE = "none"
    TEXT = "text"
    """The text encoder."""
    ALL = "all"
    """The text encoder and the transformer."""


class Quantisation(StrEnum):
    """In how many bits the weights of linear layers are kept; they compute in the number format."""

    NONE = "none"
    INT8 = "int8"
    """8 bits, one scale for each output (torchao)."""
    NF4 = "nf4"
    """4 bits, one scale for each 64 weights (bitsandbytes), of what is not offloaded."""


@dataclass(frozen=True, kw_only=True)
class Placement:
    """What is wished for."""

    device: str = "auto"
    """`auto`, or what the tensor library calls it: `cpu`, `cuda`, `cuda:1`, `mps`."""
    dtype: Dtype = Dtype.AUTO
    offload: Offload = Offload.NONE
    quantisation: Quantisation = Quantisation.NONE
