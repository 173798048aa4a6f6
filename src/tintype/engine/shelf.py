"""The memory of one device: which models are in it, who uses them, and which go when others need the room.

Knows names, bytes and moments, nothing of tensors. A LoRA is a model on its base: whoever uses it uses both,
and where the base goes it goes, too.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from tintype.domain.source import Source


@dataclass(slots=True, eq=False)
class Place:
    """A model in memory."""

    source: Source
    bytes: int
    loaded: float
    """When, in seconds on a monotonic clock."""
    used: float
    """When a job took it last."""
    jobs: set[str] = field(default_factory=set)


class Shelf:
    """Models within a budget of bytes. What is used by a job is never evicted."""

    def __init__(self, *, budget: int) -> None:
        self.budget = budget
        self._places: dict[Source, Place] = {}

    def __contains__(self, source: Source) -> bool:
        return source in self._places

    @property
    def bytes(self) -> int:
        """Of all models together."""
        return sum(place.bytes for place in self._places.values())

    def put(self, source: Source, size: int, *, now: float) -> None:
        """The model is in memory from now on."""
        self._places[source] = Place(source=source, bytes=size, loaded=now, used=now)

    def remove(self, source: Source) -> None:
        del self._places[source]

    def use(self, source: Source, job_id: str, *, now: float) -> None:
        """The job needs the model until it leaves."""
        for each in {source, source.base}:
            self._places[each].jobs.add(job_id)
            self._places[each].used = now

    def leave(self, job_id: str) -> None:
        """The job has ended. Harmless if it used nothing."""
        for place in self._places.values():
            place.jobs.discard(job_id)

    def loaded(self, source: Source) -> float:
        return self._places[source].loaded

    def room_for(self, source: Source, size: int) -> tuple[list[Source], list[Source]]:
        """What has to go before so many bytes of the model fit: what nobody uses, and what jobs use.

        The first in the order of eviction, the least recently used first. The second is empty if the first
        suffice. Nothing is named that would not help, and never the model's own base.
        """
        missing = self.bytes + size - self.budget
        unused: list[Source] = []
        used: list[Source] = []
        for place in self._candidates(but={source, source.base}):
            if missing <= 0:
                break
            going = {*self._on(place.source)}.difference(unused, used)
            missing -= sum(self._places[each].bytes for each in going)
            (used if place.jobs else unused).extend(each for each in self._on(place.source) if each in going)
        return unused, used

    def fits_alone(self, source: Source, size: int) -> bool:
        """Whether it would fit if everything that can go were gone."""
        base = self._places.get(source.base) if source.lora else None
        return size + (base.bytes if base else 0) <= self.budget

    def _candidates(self, *, but: Collection[Source]) -> list[Place]:
        """The unused before the used, then LoRAs before their bases, least recently used first."""
        places = [place for place in self._places.values() if place.source not in but]
        return sorted(places, key=lambda place: (bool(place.jobs), place.used, not place.source.lora))

    def _on(self, source: Source) -> Iterator[Source]:
        """What goes with the model: the LoRAs on it, then itself."""
        if not source.lora:
            yield from (each for each in self._places if each.lora and each.base == source)
        yield source
