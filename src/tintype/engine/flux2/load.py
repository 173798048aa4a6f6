"""Weights in, engine out: the device, its number format, and how much it draws at once."""

import functools
from importlib.metadata import version

import torch

import tintype
from tintype.domain.errors import BadCheckpoint
from tintype.domain.placement import Placement
from tintype.engine.acceleration import NONE, Acceleration
from tintype.engine.engine import Engine
from tintype.engine.flux2 import checkpoint, footprint
from tintype.engine.flux2.checkpoint import open_checkpoint
from tintype.engine.flux2.engine import Flux2Engine
from tintype.engine.flux2.memory import budget_of
from tintype.engine.flux2.placing import Placed, place
from tintype.engine.limits import MIB, Limits
from tintype.engine.log import log
from tintype.engine.screening import Screening

_PLACES = 16
_MAX_ROWS = 32

# Tokens in one forward, image and text. More than this makes a step longer, and so a kill slower and a
# newcomer later, for no more pictures: on a CPU core (Xeon with AMX) a guided job of the embedded checkpoint
# costs 10 ms per step alone, 6.1 among four, 5.7 among eight and 5.5 among sixteen.
_CPU_TOKENS = 1024
_GPU_TOKENS = 20480


def load_engine(
    weights: str,
    *,
    wanted: Placement,
    threads: int,
    places: int,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    acceleration: Acceleration = NONE,
) -> Engine:
    """An engine for the checkpoint; 0 threads or places leave the choice here.

    Raises `BadCheckpoint`, also when the machine cannot do what is wanted, or not as fast as is asked for.
    """
    torch.set_num_threads(threads or _usual_threads())
    placed = _placed(weights, wanted)
    on_cpu = placed.device.type == "cpu"
    cache_bytes = limits.prompt_cache_mb * MIB
    opened = open_checkpoint(weights, placed, cache_bytes=cache_bytes, acceleration=acceleration)
    memory = limits.memory_mb * MIB or budget_of(placed.device, beside=cache_bytes)
    log("memory for jobs", mib=memory // MIB)
    return Flux2Engine(
        opened,
        places=places or _PLACES,
        max_rows=_MAX_ROWS,
        max_tokens=limits.step_tokens or (_CPU_TOKENS if on_cpu else _GPU_TOKENS),
        memory=memory,
        versions=_versions(),
        screening=Screening(),
    )


def expected_bytes(weights: str, wanted: Placement) -> int:
    """What the checkpoint will take of the device's memory. Raises as `load_engine`."""
    return checkpoint.expected_bytes(weights, _placed(weights, wanted))


def budget_of_models(engine: Flux2Engine, weights: str, *, wish: int, jobs: int) -> int:
    """As `footprint.budget_of_models`, for the device of an engine that is there. Raises `BadCheckpoint`."""
    device, first = engine.checkpoint.device, engine.checkpoint.bytes
    try:
        return footprint.budget_of_models(
            device, footprint.memory_of(device), wish=wish, jobs=jobs, first=first
        )
    except ValueError as error:
        raise BadCheckpoint(path=weights, problem=error) from error


@functools.cache
def _usual_threads() -> int:
    """As many as PyTorch chooses; asked when the first engine is loaded, before any thread takes fewer."""
    return torch.get_num_threads()


def _placed(weights: str, wanted: Placement) -> Placed:
    try:
        return place(wanted)
    except ValueError as error:
        raise BadCheckpoint(path=weights, problem=error) from error


def _versions() -> dict[str, str]:
    """Of the programs that a picture depends on."""
    libraries = ("diffusers", "torch", "transformers")
    return {"tintype": tintype.__version__, **{name: version(name) for name in libraries}}
