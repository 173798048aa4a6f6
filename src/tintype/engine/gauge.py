"""Tells how much memory the host holds, so that its worker can replace it before there is none left."""

import time
from collections.abc import Callable

import psutil

from tintype.engine.engine import Engine
from tintype.engine.protocol import Event, Memory

EVERY = 1.0
"""Seconds between two looks."""


class Gauge:
    """For the stepping thread. What is held when it begins is not worth a word, nor is what shrinks."""

    def __init__(self, engine: Engine, post: Callable[[Event], None]) -> None:
        self._engine = engine
        self._post = post
        self._process = psutil.Process()
        self._most = self._look()
        self._due = time.monotonic() + EVERY

    def tell(self) -> None:
        """Looks if it is time, and says so if the host has grown."""
        if time.monotonic() < self._due:
            return
        held = self._look()
        if held.main > self._most.main or held.device > self._most.device:
            self._most = held
            self._post(held)
        self._due = time.monotonic() + EVERY

    def _look(self) -> Memory:
        return Memory(main=self._process.memory_info().rss, device=self._engine.device_memory())
