"""Sources in, engines out: which kind of engine draws what. Imports what that kind needs, and only then."""

from dataclasses import replace
from pathlib import Path

from tintype.domain.errors import BadCheckpoint
from tintype.domain.placement import Placement
from tintype.domain.source import BLANK, Source
from tintype.engine.acceleration import Acceleration
from tintype.engine.allocator import give_back
from tintype.engine.blank import BlankEngine
from tintype.engine.engine import Engine
from tintype.engine.limits import MIB, Limits
from tintype.engine.loading import Install
from tintype.engine.main_memory import main_memory

GIB = 2**30


class Opener:
    """Implements `tintype.engine.loading.Loader`. `weights` are those of `Source()`."""

    def __init__(
        self,
        *,
        weights: str,
        wanted: Placement,
        threads: int,
        places: int,
        limits: Limits,
        acceleration: Acceleration,
    ) -> None:
        self._weights = weights
        self._wanted = wanted
        self._threads = threads
        self._places = places
        self._limits = limits
        self._acceleration = acceleration

    def open(self, source: Source) -> Engine:
        """The engine of a source without a LoRA. Raises `BadCheckpoint` if there is nothing to draw with."""
        weights = source.weights or self._weights
        if weights == BLANK:
            return BlankEngine(places=self._places or 64)
        from tintype.engine.flux2.load import load_engine

        return load_engine(
            weights,
            wanted=self._placement_of(source),
            threads=self._threads,
            places=self._places,
            limits=self._limits,
            acceleration=self._acceleration,
        )

    def budget(self, gib: float, first: Engine) -> int:
        """Bytes that models may take together, beside what jobs may; 0: what is usual for the device.

        Raises `BadCheckpoint` if the two are more than there is.
        """
        wish = int(gib * GIB)
        if isinstance(first, BlankEngine):
            return wish or main_memory()
        from tintype.engine.flux2.engine import Flux2Engine
        from tintype.engine.flux2.load import budget_of_models

        assert isinstance(first, Flux2Engine)
        return budget_of_models(first, self._weights, wish=wish, jobs=self._limits.memory_mb * MIB)

    def measure(self, source: Source) -> int:
        if source.lora:
            return _size_of(Path(source.lora))
        weights = source.weights or self._weights
        if weights == BLANK:
            return 0
        from tintype.engine.flux2.load import expected_bytes

        return expected_bytes(weights, self._placement_of(source))

    def _placement_of(self, source: Source) -> Placement:
        return replace(self._wanted, **source.placement)

    def load(self, source: Source, base: Engine | None) -> Install:
        if not source.lora:
            engine = self.open(source)
            return lambda: engine
        if base is None or isinstance(base, BlankEngine):
            raise BadCheckpoint(path=source.lora, problem="a LoRA needs a base that has weights")
        from tintype.engine.flux2.adapting import adapt

        return adapt(source, base)

    def weigh(self, engine: Engine) -> int:
        if isinstance(engine, BlankEngine):
            return 0
        from tintype.engine.flux2.engine import Flux2Engine

        assert isinstance(engine, Flux2Engine)
        return engine.checkpoint.bytes

    def unload(self) -> None:
        give_back()


def _size_of(lora: Path) -> int:
    try:
        return lora.stat().st_size
    except OSError as error:
        raise BadCheckpoint(path=str(lora), problem="there is no such file") from error
