"""Which model steps next: start-time fair queueing over models, by the time that their steps take.

A model's weight is that of all who wait for it, so that two callers of one model and one caller of another
share the device by thirds. Goyal, Vin, Cheng: Start-time Fair Queueing, SIGCOMM 1996.
"""

from collections.abc import Hashable, Mapping
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)


class Turns(Generic[Key]):
    """Each model's time on the device, divided by its weight. Who comes, or comes back, starts level."""

    def __init__(self) -> None:
        self._served: dict[Key, float] = {}
        self._now = 0.0

    def next(self, weights: Mapping[Key, float]) -> Key:
        """The one of these that has had the least. At least one is there."""
        self._served = {key: self._served.get(key, self._now) for key in weights}
        chosen = min(weights, key=lambda key: self._served[key])
        self._now = self._served[chosen]
        return chosen

    def charge(self, key: Key, seconds: float, *, weight: float) -> None:
        self._served[key] += seconds / weight
