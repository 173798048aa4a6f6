"""How much memory an engine host may hold before it is replaced."""

from dataclasses import dataclass

from tintype.engine.protocol import Memory


@dataclass(frozen=True, kw_only=True)
class MemoryLimits:
    """In bytes; 0 is no limit."""

    main: int = 0
    device: int = 0
    pause: float = 60.0
    """Seconds between two replacements at least: with limits that are too low, most of the time is still
    spent drawing."""

    @property
    def fields(self) -> dict[str, int]:
        """For the log."""
        return {"limit": self.main, "device_limit": self.device}

    def exceeded_by(self, held: Memory) -> bool:
        return 0 < self.main < held.main or 0 < self.device < held.device


NO_LIMITS = MemoryLimits()
