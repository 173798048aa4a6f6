"""Claim, draw, record."""

from tintype.worker.engine_host import EngineHost
from tintype.worker.janitor import Janitor
from tintype.worker.worker import Worker

__all__ = ["EngineHost", "Janitor", "Worker"]
