"""How engine hosts are started, and when they are replaced."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path

from tintype.domain.catalogue import Catalogue
from tintype.engine.limits import MIB, Limits
from tintype.engine.process import HostProcess, start_host
from tintype.logs import relay
from tintype.settings import Settings
from tintype.worker.recycling import MemoryLimits


def engine_starter(
    settings: Settings, catalogue: Catalogue
) -> Callable[[], AbstractAsyncContextManager[HostProcess]]:
    """How an engine host of these settings is started, to draw the models of the catalogue."""
    weights = {catalogue.source_of(model.slug).weights for model in catalogue.models} - {""}
    return partial(
        host_starter(settings),
        model_memory=settings.model_memory,
        model_patience=settings.model_patience,
        hub=not all(Path(each).is_dir() for each in weights),
        on_log=relay,
    )


def host_starter(settings: Settings) -> Callable[..., AbstractAsyncContextManager[HostProcess]]:
    """How an engine host is started that draws with the weights of these settings, as they say."""
    return partial(
        start_host,
        weights=settings.weights,
        device=settings.device,
        dtype=settings.dtype,
        offload=settings.offload,
        quantisation=settings.quantisation,
        threads=settings.threads,
        places=settings.places,
        limits=Limits(
            memory_mb=settings.memory_mb,
            step_tokens=settings.step_tokens,
            prompt_cache_mb=settings.prompt_cache_mb,
        ),
        acceleration=settings.acceleration,
        patience=settings.patience,
    )


def memory_limits(settings: Settings) -> MemoryLimits:
    """From which memory on an engine host is replaced."""
    return MemoryLimits(main=settings.recycle_memory_mb * MIB, device=settings.recycle_device_memory_mb * MIB)
