"""Engines that draw with a LoRA on the weights of another engine, which are in memory once."""

from dataclasses import replace
from functools import partial
from pathlib import Path

from tintype.domain.errors import BadCheckpoint
from tintype.domain.source import Source
from tintype.engine.engine import Engine
from tintype.engine.flux2.accelerated import OF_THE_BASE
from tintype.engine.flux2.engine import Flux2Engine
from tintype.engine.flux2.fingerprint import adapted
from tintype.engine.flux2.lora import Lora, WithLora, read_lora
from tintype.engine.loading import Install


def adapt(source: Source, base: Engine) -> Install:
    """Reads the LoRA, and shares everything else with the base: text encoder, VAE, and what they remember.

    Raises `BadCheckpoint`; so does what it returns.
    """
    assert isinstance(base, Flux2Engine)
    checkpoint = base.checkpoint
    lora = read_lora(Path(source.lora), device=checkpoint.device, dtype=checkpoint.dtype)
    fingerprint = adapted(checkpoint.fingerprint, Path(source.lora), source.strength)
    return partial(_install, source, base, lora, fingerprint)


def _install(source: Source, base: Flux2Engine, lora: Lora, fingerprint: str) -> Flux2Engine:
    checkpoint = base.checkpoint
    try:
        transformer = WithLora(checkpoint.transformer, lora, strength=source.strength)
    except ValueError as error:
        raise BadCheckpoint(path=source.lora, problem=f"lora: {error}") from error
    times = "" if source.strength == 1 else f" × {source.strength:g}"
    return base.of(
        replace(
            checkpoint,
            name=f"{checkpoint.name} + {Path(source.lora).stem}{times}",
            transformer=transformer,
            fingerprint=fingerprint,
            uses=[use for use in checkpoint.uses if use not in OF_THE_BASE],
            bytes=sum(change.nbytes for change in lora.values()),
        )
    )
