"""Requests as they come: a mixed load of several clients, each sending at random (a Poisson process)."""

import heapq
import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass

from tintype.engine.protocol import Job

CLIENTS = 16
SIZES = ((256, 256), (512, 512), (768, 512), (512, 768), (768, 768), (1024, 768), (1024, 1024))
SHORT, LONG = (8, 10, 12), (25, 30, 40, 50)
SHORT_SHARE = 0.5
COLOURS = ("red", "green", "blue", "yellow", "purple", "white", "black", "orange")
THINGS = ("kite", "cat", "car", "pizza", "rocket", "tree", "house", "umbrella", "clock", "fish", "guitar")
PLACES = ("", " on the moon", " at night", " in the snow", " at the beach", " in a garden", " in a box")


@dataclass(frozen=True)
class Request:
    """A job, and when it is asked for."""

    at: float
    """Seconds after the start."""
    job: Job

    @property
    def short(self) -> bool:
        return self.job.steps <= max(SHORT)


def trace(count: int, *, rate: float, guidance: float, seed: int) -> list[Request]:
    """The first `count` requests of all clients, `rate` a second together; the same for the same seed."""
    arrivals = heapq.merge(
        *(_arrivals(rate / CLIENTS, random.Random(f"{seed}/{client}"), client) for client in range(CLIENTS))
    )
    chance = random.Random(seed)
    return [
        Request(at, _job(f"{seed}-{number}", client, chance, guidance))
        for number, (at, client) in enumerate(itertools.islice(arrivals, count))
    ]


def _arrivals(rate: float, chance: random.Random, client: int) -> Iterator[tuple[float, int]]:
    at = 0.0
    while True:
        at += chance.expovariate(rate)
        yield at, client


def _job(name: str, client: int, chance: random.Random, guidance: float) -> Job:
    width, height = chance.choice(SIZES)
    return Job(
        id=name,
        prompt=f"a {chance.choice(COLOURS)} {chance.choice(THINGS)}{chance.choice(PLACES)}",
        width=width,
        height=height,
        steps=chance.choice(SHORT if chance.random() < SHORT_SHARE else LONG),
        guidance=guidance,
        seed=chance.randrange(2**32),
        share=f"client {client}",
    )
