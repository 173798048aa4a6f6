"""From wishes to what a machine can do: the device, the number format, and where each part waits."""

from dataclasses import dataclass

import torch

from tintype.domain.placement import Dtype, Offload, Placement, Quantisation
from tintype.engine.flux2.offloading import demand_offload
from tintype.engine.flux2.quantising import demand_quantisation

CPU = torch.device("cpu")


@dataclass(frozen=True, kw_only=True)
class Placed:
    """Where and how each part of a checkpoint computes. The VAE is always whole, and on the device."""

    device: torch.device
    dtype: torch.dtype
    offload: Offload = Offload.NONE
    quantisation: Quantisation = Quantisation.NONE

    @property
    def arithmetic(self) -> dict[str, str]:
        """What pictures depend on of it: where layers wait changes nothing, but for what is quantised."""
        whole = {} if self.text_quantisation is self.quantisation else {"textQuantisation": "none"}
        return {
            "device": self.device.type,
            "dtype": str(self.dtype).removeprefix("torch."),
            "quantisation": self.quantisation.value,
            **whole,
        }

    @property
    def offloads_text(self) -> bool:
        return self.offload is not Offload.NONE

    @property
    def offloads_transformer(self) -> bool:
        return self.offload is Offload.ALL

    @property
    def home_of_text(self) -> torch.device:
        """Where the text encoder's weights are kept."""
        return CPU if self.offloads_text else self.device

    @property
    def home_of_transformer(self) -> torch.device:
        return CPU if self.offloads_transformer else self.device

    @property
    def text_quantisation(self) -> Quantisation:
        """Weights of 4 bits cannot be offloaded, so that an offloaded text encoder keeps its own."""
        if self.offloads_text and self.quantisation is Quantisation.NF4:
            return Quantisation.NONE
        return self.quantisation


def place(wanted: Placement) -> Placed:
    """What is there for the wishes. Raises `ValueError` with what would be right."""
    device = _device(wanted.device)
    demand_offload(wanted.offload, wanted.quantisation, device)
    demand_quantisation(wanted.quantisation, device)
    return Placed(
        device=device,
        dtype=_dtype(wanted.dtype, device),
        offload=wanted.offload,
        quantisation=wanted.quantisation,
    )


def _device(name: str) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        return torch.empty(1, device=name).device  # with its number, as its tensors will name it
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"there is no device {name} here; right is {_right()}") from error


def _right() -> str:
    """The devices that there are."""
    names = ["auto", "cpu", *(f"cuda:{number}" for number in range(torch.cuda.device_count()))]
    return ", ".join([*names, *(["mps"] if torch.backends.mps.is_available() else [])])


def _dtype(wanted: Dtype, device: torch.device) -> torch.dtype:
    if wanted is Dtype.AUTO:
        return torch.bfloat16 if device.type != "cpu" and _has_bfloat16(device) else torch.float32
    if wanted is Dtype.BFLOAT16 and not _has_bfloat16(device):
        raise ValueError(f"{device} does not compute in bfloat16; right is dtype=float32 or auto")
    return torch.bfloat16 if wanted is Dtype.BFLOAT16 else torch.float32


def _has_bfloat16(device: torch.device) -> bool:
    """In hardware; CPUs can at least do without."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    return True
