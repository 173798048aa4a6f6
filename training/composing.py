"""Compose what the transformer learns to draw, with what may be said of each: `work/scenes.json`.

Plain, recoloured and styled things; on other canvases; on coloured backgrounds; two or three of a thing; two
things side by side or one above the other; heads with hats and glasses; and the pairs of scenes between which
an instruction leads, for editing.
"""

import json
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict

import numpy as np

from training.captions import (
    Words,
    appended,
    article,
    background_forms,
    coloured,
    count_forms,
    pair_forms,
    plain_nouns,
    scaled,
    stacked_forms,
    style_forms,
    wordings,
    worn_forms,
)  # fmt: skip
from training.edits import edits
from training.looks import Look, World, world
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
        short = (noun.removesuffix(" face") for noun in head.nouns)
        called = [*head.nouns, *(noun for noun in short if noun in known)]
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
