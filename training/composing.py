"""Compose what the transformer learns to draw, with what may be said of each: `work/scenes.json`.

Plain, recoloured and styled things; on other canvases; on coloured backgrounds; two or three of a thing; two
things side by side or one above the other; heads with hats and glasses; and the pairs of scenes between which
an instruction leads, for editing.
"""

import json
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field

import numpy as np

from training.captions import (
    Words,
    appended,
    article,
    background_forms,
    coloured,
    count_forms,
    edit_forms,
    pair_forms,
    plain_nouns,
    scaled,
    stacked_forms,
    style_forms,
    vocabulary,
    wordings,
    worn,
    worn_forms,
)  # fmt: skip
from training.concepts import concepts, things
from training.packages import WORK
from training.recolour import COLOURS, srgb
from training.scenes import (
    CANVASES,
    LANDSCAPE,
    PORTRAIT,
    SQUARE,
    TALL,
    WIDE,
    Scene,
    Source,
    Sprite,
)  # fmt: skip

#: Where one, two and three things stand on each canvas: left, top and side. All on whole tokens and in one
#: of two sizes, so that a thing that was learned in one place is known in all.
PLACES: dict[tuple[int, int], dict[int, tuple[tuple[int, int, int], ...]]] = {
    SQUARE: {
        1: ((0, 0, 64),),
        2: ((0, 16, 32), (32, 16, 32)),
        3: ((16, 0, 32), (0, 32, 32), (32, 32, 32)),
    },
    LANDSCAPE: {
        1: ((16, 0, 64),),
        2: ((16, 16, 32), (48, 16, 32)),
        3: ((0, 16, 32), (32, 16, 32), (64, 16, 32)),
    },
    WIDE: {
        1: ((32, 0, 64),),
        2: ((0, 0, 64), (64, 0, 64)),
        3: ((0, 16, 32), (48, 16, 32), (96, 16, 32)),
    },
}
for tall, wide in ((PORTRAIT, LANDSCAPE), (TALL, WIDE)):
    PLACES[tall] = {
        number: tuple((top, left, side) for left, top, side in places)
        for number, places in PLACES[wide].items()
    }


OBLONG = CANVASES[1:]
STACKED = ((16, 0, 32), (16, 32, 32))
HATTED = ((8, 16, 48), (16, 0, 32))  #: the head, and what is on it
SPECTACLED = ((0, 0, 64), (16, 16, 32))  #: the head, and what is before its eyes
UNSEEN = 7  #: one in so many pairs of wearer and worn is never shown


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


def alone(look: Look, canvas: tuple[int, int]) -> tuple[Sprite, ...]:
    """The thing by itself, as large as the canvas lets it be."""
    return together([look], canvas)


def together(looks: Sequence[Look], canvas: tuple[int, int]) -> tuple[Sprite, ...]:
    """The things beside each other."""
    return sprites(looks, PLACES[canvas][len(looks)])


def sprites(looks: Sequence[Look], places: Sequence[tuple[int, int, int]]) -> tuple[Sprite, ...]:
    """The things at their places: left, top and side."""
    return tuple(Sprite(look.source, look.index, *place) for look, place in zip(looks, places, strict=True))


def background(colour: str, chance: random.Random) -> tuple[int, int, int]:
    """A plain colour that goes by the name, each time a little different."""
    lightness, chroma, hue = COLOURS[colour]
    lightness += chance.uniform(-0.04, 0.06)
    chroma, hue = chroma * chance.uniform(0.8, 1), hue + chance.uniform(-6, 6)
    rgb = srgb(np.array(lightness), np.array(chroma), np.array(hue))
    red, green, blue = (int(v * 255 + 0.5) for v in rgb)
    return red, green, blue


def said(look: Look, words: list[Words], own: dict[str, str], chance: random.Random) -> dict[str, float]:
    """What may be said of one thing by itself."""
    names = words[look.concept]
    if look.colour:
        return coloured(plain_nouns(names), look.colour, chance, 1)
    if look.style:
        return style_forms(plain_nouns(names), look.style, chance)
    forms: Counter[str] = Counter()
    total = sum(names.names.values())
    for name, weight in names.names.items():
        for form, share in wordings(name, chance, 5 if weight == 3 else 3).items():
            forms[form] += 0.8 * share * weight / total
    forms.update(scaled({form: w for k, w in names.keywords.items() for form in (k, article(k))}, 0.1))
    if colour := own.get(str(look.concept)):
        forms.update(scaled(coloured(plain_nouns(names), colour, chance, 3), 0.15))
    return dict(forms)


def scenes(world: World) -> Iterator[Scene]:
    """All scenes of a training, plain pictures first, in the order of the concepts."""
    yield from singles(world)
    yield from oblongs(world)
    yield from on_backgrounds(world, 5500)
    yield from counted(world, 5000)
    yield from paired(world, 11000)
    yield from dressed(world)


def singles(world: World) -> Iterator[Scene]:
    """Every picture alone on the square canvas."""
    labels = json.loads((WORK / "concepts.json").read_text())
    paints = json.loads((WORK / "recolours.json").read_text())
    own = {str(labels.index(label)): colour for label, colour in paints["own"].items()}
    for kind, looks in world.looks.items():
        for look in looks:
            forms = said(look, world.words, own, world.chance)
            yield Scene(kind, SQUARE, alone(look, SQUARE), forms, concept=look.concept)


def oblongs(world: World) -> Iterator[Scene]:
    """Plain pictures on two of the other canvases each, and some of the others."""
    for look in world.plain:
        for canvas in world.chance.sample(OBLONG, 2):
            everything = said(look, world.words, {}, random.Random(look.index))
            forms = {form: weight for form, weight in everything.items() if len(form) < 24}
            yield Scene(
                "oblong", canvas, alone(look, canvas), forms or {look.nouns[0]: 1.0}, concept=look.concept
            )
    for _ in range(2400):
        look = world.look(plain=0, recoloured=0.6)
        canvas, noun = world.chance.choice(OBLONG), world.chance.choice(look.nouns)
        forms = {noun: 1.0, article(noun): 1.0}
        yield Scene("oblong", canvas, alone(look, canvas), forms, concept=look.concept)


def on_backgrounds(world: World, number: int) -> Iterator[Scene]:
    """One thing on a plain colour that is not its own."""
    chance = world.chance
    for _ in range(number):
        look = chance.choice(world.plain) if chance.random() < 0.4 else world.look(plain=0.5, recoloured=0.3)
        canvas = SQUARE if chance.random() < 0.75 else chance.choice(OBLONG)
        colour = other_colour(look, chance)
        forms = background_forms(chance.choice(look.nouns), colour, chance)
        paint = background(colour, chance)
        yield Scene("background", canvas, alone(look, canvas), forms, paint, colour, look.concept)


def counted(world: World, number: int) -> Iterator[Scene]:
    """Two or three of a thing, now and then on a plain colour."""
    chance = world.chance
    for _ in range(number):
        look, several = world.look(), 2 if chance.random() < 0.55 else 3
        canvas = SQUARE if chance.random() < 0.7 else chance.choice(OBLONG)
        forms = count_forms(chance.choice(look.nouns), several, chance)
        colour, paint = "white", (255, 255, 255)
        if chance.random() < 0.1:
            colour = other_colour(look, chance)
            forms = appended(forms, colour, chance)
            paint = background(colour, chance)
        yield Scene("count", canvas, together([look] * several, canvas), forms, paint, colour, look.concept)


def paired(world: World, number: int) -> Iterator[Scene]:
    """Two things side by side, or one above the other; one of them now and then not a common one."""
    chance = world.chance
    for _ in range(number):
        looks = [world.look(plain=0.7), world.look(plain=0.7)]
        if looks[0].style or looks[1].style:
            looks = [world.look(plain=1), world.look(plain=1)]
        if chance.random() < 0.2:
            looks[chance.randrange(2)] = chance.choice(world.plain)
        if looks[0].concept == looks[1].concept:
            continue
        nouns = [chance.choice(look.nouns) for look in looks]
        if chance.random() < 0.12:
            yield Scene("pair", SQUARE, sprites(looks, STACKED), stacked_forms(*nouns, chance))
            continue
        canvas = SQUARE if chance.random() < 0.65 else chance.choice(OBLONG)
        forms = stacked_forms if canvas in (PORTRAIT, TALL) else pair_forms
        yield Scene("pair", canvas, together(looks, canvas), forms(*nouns, chance))


def dressed(world: World) -> Iterator[Scene]:
    """Heads with hats and glasses, also with those in other colours."""
    chance = world.chance
    clothes = [*world.hats, *world.glasses]
    known = {noun for look in world.plain for noun in look.nouns}
    for row, wearer in enumerate(world.wearers):
        head = world.plain[wearer]
        called = [*head.nouns, *known.intersection(noun.removesuffix(" face") for noun in head.nouns)]
        for column, concept in enumerate(clothes):
            if (row + column) % UNSEEN == 0:
                continue
            places = HATTED if concept in world.hats else SPECTACLED
            painted = [look for look in world.recoloured if look.concept == concept]
            for look in (world.plain[concept], *chance.sample(painted, min(2, len(painted)))):
                forms = {
                    form: 1.0
                    for noun in look.nouns
                    for form in worn_forms(chance.choice(called), noun, chance)
                }
                yield Scene("worn", SQUARE, sprites([head, look], places), forms)


def other_colour(look: Look, chance: random.Random) -> str:
    """A colour for a background, neither white nor the thing's own."""
    return chance.choice([colour for colour in COLOURS if colour not in ("white", look.colour)])


Edit = tuple[int, int, dict[str, float]]
"""The scene that is given, the one that is wanted, and how one asks for it."""


def edits(world: World, all_scenes: list[Scene]) -> list[Edit]:
    """Ways from one scene to another: colour, style, canvas, background, number, company, clothes."""
    versions: dict[int, dict[str, int]] = {}  #: of each concept, the scene with it in a colour or style
    places: dict[tuple[Source, int], int] = {}  #: the scene that shows one picture alone
    for place, scene in enumerate(all_scenes):
        if scene.kind in ("plain", "recoloured", "styled"):
            (sprite,) = scene.sprites
            look = world.looks[sprite.source][sprite.index]
            versions.setdefault(scene.concept, {})[look.colour or look.style] = place
            places[sprite.source, sprite.index] = place
    return [
        *changed_looks(world, versions, 5000),
        *changed_canvases(world, versions, all_scenes),
        *changed_surroundings(world, places, all_scenes),
    ]


def changed_looks(world: World, versions: dict[int, dict[str, int]], number: int) -> Iterator[Edit]:
    """Another colour or style of the same thing."""
    chance = world.chance
    several = [concept for concept, own in versions.items() if len(own) > 1]
    for _ in range(number):
        concept = chance.choice(several)
        before, after = chance.sample(sorted(versions[concept]), 2)
        if not after:
            before, after = after, before
        noun = chance.choice(plain_nouns(world.words[concept]))
        yield versions[concept][before], versions[concept][after], edit_forms(noun, after, chance)


def changed_canvases(
    world: World, versions: dict[int, dict[str, int]], all_scenes: list[Scene]
) -> Iterator[Edit]:
    """Another colour or style, on a canvas that is not square."""
    chance = world.chance
    for place, scene in enumerate(all_scenes):
        if scene.kind != "oblong":
            continue
        (sprite,) = scene.sprites
        look = world.looks[sprite.source][sprite.index]
        wanted = look.colour or look.style
        if starts := [start for own, start in versions[look.concept].items() if own != wanted]:
            noun = chance.choice(plain_nouns(world.words[look.concept]))
            yield chance.choice(starts), place, edit_forms(noun, wanted, chance)


def changed_surroundings(
    world: World, places: dict[tuple[Source, int], int], all_scenes: list[Scene]
) -> Iterator[Edit]:
    """The same thing on a background or on none, several times, beside another one, with something on."""
    chance = world.chance
    removal = ("remove the background", "white background", "on a white background", "no background")
    for place, scene in enumerate(all_scenes):
        first = scene.sprites[0]
        start = places.get((first.source, first.index))
        if start is None or scene.kind not in ("background", "count", "pair", "worn"):
            continue
        if scene.kind != "worn" and chance.random() < 0.6:
            continue
        if scene.kind == "count" and scene.colour != "white":
            continue  # to ask for it would take two instructions
        yield start, place, ways_to(scene, world)
        if scene.kind == "background" and scene.canvas == SQUARE and chance.random() < 0.5:
            yield place, start, dict.fromkeys(removal, 1.0)


def ways_to(scene: Scene, world: World) -> dict[str, float]:
    """How to ask for a scene when its first thing is given."""
    chance = world.chance
    if scene.kind in ("pair", "worn"):
        second = scene.sprites[1]
        noun = chance.choice(world.looks[second.source][second.index].nouns)
    if scene.kind == "pair":
        noun = article(noun)
        beside = (f"add {noun}", f"put {noun} beside it", f"{noun} next to it", f"add {noun} next to it")
        above = (f"put it on {noun}", f"on top of {noun}", f"above {noun}", f"put {noun} under it")
        stacked = scene.sprites[0].left == second.left
        return dict.fromkeys(chance.sample(above if stacked else beside, 2), 1.0)
    if scene.kind == "worn":
        noun = worn(noun)
        said = (
            f"add {noun}",
            f"give it {noun}",
            f"put {noun} on it",
            f"wearing {noun}",
            f"let it wear {noun}",
        )
    elif scene.kind == "background":
        said = (
            f"{scene.colour} background", f"on a {scene.colour} background",
            f"put it on a {scene.colour} background", f"make the background {scene.colour}",
            f"change the background to {scene.colour}",
        )  # fmt: skip
    else:
        number = "two" if len(scene.sprites) == 2 else "three"
        said = (f"{number} of them", f"make it {number}", f"{number} of these", f"draw {number}")
    return dict.fromkeys(chance.sample(said, 2), 1.0) | dict.fromkeys(list(scene.forms)[:1], 0.5)


def main() -> None:
    content, held = world()
    all_scenes = list(scenes(content))
    changes = edits(content, all_scenes)
    forms = {form for scene in all_scenes for form in scene.forms} | {f for *_, some in changes for f in some}
    document = {
        "scenes": [asdict(scene) for scene in all_scenes],
        "edits": changes,
        "captions": ["", *sorted(forms)],
        "held out": held,
    }
    (WORK / "scenes.json").write_text(json.dumps(document, ensure_ascii=False))
    kinds = Counter(scene.kind for scene in all_scenes)
    print(f"{dict(kinds)}; {len(changes)} edits, {len(forms)} captions, {len(held)} names held out")


if __name__ == "__main__":
    main()
