"""Pairs of scenes between which an instruction leads, for editing."""

from collections.abc import Iterator

from training.captions import article, edit_forms, plain_nouns, worn
from training.looks import World
from training.scenes import SQUARE, Scene, Source

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
