"""What must be heard: wake-ups, kills and progress. Everything it carries may be lost."""

from tintype.bus.opening import open_bus
from tintype.bus.protocol import CALLBACK, KILL, WATCH, WORK, Bus, task_subject

__all__ = ["CALLBACK", "KILL", "WATCH", "WORK", "Bus", "open_bus", "task_subject"]
