"""The pictures that scenes are made of, and the nouns that say which."""

import json
import random
from dataclasses import dataclass, field

from training.captions import Words, plain_nouns, vocabulary
from training.concepts import concepts, things
from training.packages import WORK
from training.scenes import Source


@dataclass(frozen=True)
class Look:
    """One picture of a thing, and the nouns that say which: "blue car", "3d car" or just "car"."""

    source: Source
    index: int
    concept: int
    nouns: tuple[str, ...]
    colour: str = ""
    style: str = ""


@dataclass
class World:
    """Everything scenes are made of."""

    chance: random.Random
    words: list[Words]
    countable: frozenset[int]  #: concepts that can be counted and put side by side
    wearers: list[int]
    hats: list[int]
    glasses: list[int]
    plain: list[Look] = field(default_factory=list)
    recoloured: list[Look] = field(default_factory=list)
    styled: list[Look] = field(default_factory=list)

    def look(self, *, plain: float = 0.6, recoloured: float = 0.25) -> Look:
        """A random picture of a thing that can be counted, in these shares, else in another style."""
        share = self.chance.random()
        kind = self.plain if share < plain else self.recoloured if share < plain + recoloured else self.styled
        while True:
            look = self.chance.choice(kind)
            if look.concept in self.countable:
                return look

    @property
    def looks(self) -> dict[Source, list[Look]]:
        """All of them by where their pictures lie."""
        return {"plain": self.plain, "recoloured": self.recoloured, "styled": self.styled}


def world() -> tuple[World, list[tuple[str, int]]]:
    """All looks with their nouns; and the names that are held out."""
    chosen, chance = concepts(), random.Random(0)
    words, held = vocabulary(chosen)
    paints = json.loads((WORK / "recolours.json").read_text())
    styles = json.loads((WORK / "styles.json").read_text())
    rules = (things(chosen, rule) for rule in ("wearers", "hats", "glasses"))
    result = World(chance, words, frozenset(things(chosen)), *rules)
    for index, own in enumerate(words):
        result.plain.append(Look("plain", index, index, tuple(plain_nouns(own))))
    for index, (concept, colour) in enumerate(paints["rows"]):
        nouns = tuple(f"{colour} {noun}" for noun in plain_nouns(words[concept]))
        result.recoloured.append(Look("recoloured", index, concept, nouns, colour=colour))
    for index, (concept, style) in enumerate(styles):
        nouns = tuple(f"{style} {noun}" for noun in plain_nouns(words[concept]))
        result.styled.append(Look("styled", index, concept, nouns, style=style))
    return result, held
