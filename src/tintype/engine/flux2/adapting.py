"""Engines that draw with a LoRA on the weights of another engine, which are in memory once."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from tintype.domain.errors import BadCheckpoint
from tintype.domain.source import Source
from tintype.engine.engine import Engine
from tintype.engine.flux2.engine import Flux2Engine
from tintype.engine.flux2.fingerprint import adapted
from tintype.engine.flux2.lora import Adapters, Lora, WithLora, read_lora
from tintype.engine.loading import Install


class Adapting:
    """Shares everything of a base but the layers that change: text encoder, VAE, and what they remember.

    Installs and removes between the steps.
    """

    def __init__(self) -> None:
        self._adapters: WeakKeyDictionary[Any, Adapters] = WeakKeyDictionary()

    def load(self, source: Source, base: Engine) -> Install:
        """Reads the file. Raises `BadCheckpoint`; so does what it returns."""
        assert isinstance(base, Flux2Engine)
        checkpoint = base.checkpoint
        lora = read_lora(Path(source.lora), device=checkpoint.device, dtype=checkpoint.dtype)
        fingerprint = adapted(checkpoint.fingerprint, Path(source.lora), source.strength)
        return partial(self._install, source, base, lora, fingerprint)

    def unload(self, source: Source, base: Engine) -> None:
        assert isinstance(base, Flux2Engine)
        self._adapters_of(base).remove(source)

    def _install(self, source: Source, base: Flux2Engine, lora: Lora, fingerprint: str) -> Flux2Engine:
        adapters, checkpoint = self._adapters_of(base), base.checkpoint
        try:
            adapters.add(source, lora)
        except ValueError as error:
            raise BadCheckpoint(path=source.lora, problem=f"lora: {error}") from error
        times = "" if source.strength == 1 else f" × {source.strength:g}"
        return base.of(
            replace(
                checkpoint,
                name=f"{checkpoint.name} + {Path(source.lora).stem}{times}",
                transformer=WithLora(checkpoint.transformer, adapters, source),
                fingerprint=fingerprint,
                bytes=sum(change.nbytes for change in lora.values()),
            )
        )

    def _adapters_of(self, base: Flux2Engine) -> Adapters:
        transformer = base.checkpoint.transformer
        return self._adapters.setdefault(transformer, Adapters(transformer))
