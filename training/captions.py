"""What may be said of each picture: names, tags, colours, styles, numbers, places.

A plain picture gets captions from all of its names; a recoloured one from its plainest names with the colour.
Some names are held out, so that unseen wording can be measured.
"""

import random
import re
import tomllib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import inflect

from training.concepts import Concept
from training.recolour import COLOURS

OPENINGS = (
    "a picture of {}", "a photo of {}", "an image of {}", "a drawing of {}", "an icon of {}",
    "an illustration of {}", "a cartoon of {}", "an emoji of {}", "draw {}", "show me {}", "paint {}",
    "a painting of {}", "please draw {}", "a cute picture of {}", "clip art of {}", "a close up of {}",
    "i want {}", "generate {}", "a sticker of {}",
)  # fmt: skip
TAILS = (
    ", highly detailed", ", vibrant colors", " on a white background", ", 4k", ", digital art",
    ", cartoon style", ", simple", ", beautiful", ", isolated", " icon", " emoji",
    ", sharp", ", clean lines", ", studio lighting", ", cute", ", high quality", ", centered",
    " in the park", " on a table", " in the city", " at night", " on a sunny day", " outside",
    ", masterpiece", ", best quality", " please", ", minimal", " in the background", " with soft light",
    ", photorealistic", ", watercolor", ", sticker", ", 8k", ", golden hour", ", hd", ", cinematic lighting",
    ", cinematic", ", trending on artstation", ", concept art", ", vector art", ", bokeh",
    ", ultra realistic",
    ", hyperrealistic", ", sharp focus", ", portrait", ", front view", ", close up", ", dramatic lighting",
    ", pastel colors", ", oil painting", ", pencil sketch", ", pixel art", ", octane render",
    ", award winning",
    ", professional photo", ", natural light", ", intricate details", ", children's book illustration",
    " in the forest", " in the garden", " in the snow", " on the beach", " by the sea", " in space",
    " in the rain", " at sunset", " at home", " in a room", " in the mountains", " in the kitchen",
    " on the street",
    " in summer", " in winter", " in the morning", " from the side", " with a happy mood",
)  # fmt: skip
ADJECTIVES = (
    "cute", "beautiful", "small", "big", "simple", "nice", "single", "little", "funny", "realistic",
    "majestic", "adorable", "tiny", "huge", "old", "new", "modern", "vintage", "happy", "colorful", "shiny",
    "elegant", "magnificent", "pretty", "lovely", "friendly", "cool", "classic", "fancy", "typical",
)  # fmt: skip
CHAINED = 0.3  #: share of the tails that another one follows
COLOUR_FORMS = (
    "the {c} {n}", "a {n} that is {c}", "{n} in {c}", "a bright {c} {n}", "one {c} {n}",
    "a {n} which is {c}", "the {n} is {c}", "{c} colored {n}", "a {n}, {c}",
)  # fmt: skip
SHADES = {
    "gray": ("grey",),
    "purple": ("violet",),
    "red": ("crimson",),
    "pink": ("magenta",),
    "orange": ("amber",),
}
HELD_OUT = 40


@dataclass
class Words:
    """The names of one concept and how much each weighs."""

    names: dict[str, float] = field(default_factory=dict)  #: what it is called
    keywords: dict[str, float] = field(default_factory=dict)  #: search words that hardly anything else has


def plain(text: str) -> str:
    """Lower case, ordinary apostrophes, no colons."""
    return re.sub(r"\s+", " ", text.replace("’", "'").replace(":", " ").lower()).strip()


def article(name: str) -> str:
    """The name with the article that fits it."""
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def vocabulary(things: list[Concept]) -> tuple[list[Words], list[tuple[str, int]]]:
    """The words of every concept, and the held-out names with the index of their concept."""
    table = tomllib.loads((Path(__file__).parent / "names.toml").read_text())
    by_hand = [[plain(name) for name in table.get(thing.label, ())] for thing in things]
    labels = [plain(thing.label) for thing in things]
    taken = Counter([*labels, *(name for names in by_hand for name in names)])
    if doubled := [name for name, count in taken.items() if count > 1]:
        raise ValueError(f"names.toml gives one name to two pictures: {doubled}")

    chance = random.Random(1)
    spare = [i for i, names in enumerate(by_hand) if len(names) >= 3]
    held = [(by_hand[i].pop(chance.randrange(2, len(by_hand[i]))), i) for i in chance.sample(spare, HELD_OUT)]
    taken.update(name for name, _ in held)

    found = [{plain(word) for word in (*thing.tags, *thing.keywords)} for thing in things]
    uses = Counter(word for words in found for word in words)
    result = []
    for label, names, words in zip(labels, by_hand, found, strict=True):
        own = Words({label: 3.0})
        if label.startswith(("man ", "woman ")):
            gender, role = label.split(" ", 1)
            own.names[f"{'male' if gender == 'man' else 'female'} {role}"] = 1.5
            own.names[
                f"{gender} who is {article(role)}" if not role.endswith("ing") else f"{role} {gender}"
            ] = 1.0
        if label.startswith("flag of "):
            country = label.removeprefix("flag of ")
            own.names |= {f"{country} flag": 2.0, f"flag {country}": 0.5}
        if label.endswith(" face") and (short := label.removesuffix(" face")) not in taken:
            own.names[short] = 1.0
        own.names |= {name: 3.0 if place == 0 else 1.5 for place, name in enumerate(names)}
        fitting = (w for w in sorted(words) if re.fullmatch(r"[a-z][a-z' -]{2,}", w) and w not in taken)
        own.keywords = {
            word: 1 / uses[word] ** 2 for word in fitting if uses[word] <= 2 and word not in COLOURS
        }
        result.append(own)
    return result, held


def wordings(name: str, chance: random.Random, variety: int) -> dict[str, float]:
    """Ways to ask for one thing, with weights that sum to one."""
    forms = {article(name): 0.32, name: 0.3, f"the {name}": 0.05}
    for _ in range(variety):
        phrase = article(name) if chance.random() < 0.7 else name
        kind = chance.random()
        if kind < 0.15:
            phrase = article(f"{chance.choice(ADJECTIVES)} {name}")
        if kind < 0.65:
            phrase = chance.choice(OPENINGS).format(phrase)
        if kind > 0.45:
            phrase += "".join(chance.sample(TAILS, 2 if chance.random() < CHAINED else 1))
        forms[phrase] = 0.33 / variety
    return forms


def coloured(names: list[str], colour: str, chance: random.Random, variety: int) -> dict[str, float]:
    """Ways to ask for one thing in one colour."""
    forms: dict[str, float] = {}
    for place, name in enumerate(names):
        weight = 1.0 if place == 0 else 0.5
        forms[article(f"{colour} {name}")] = weight
        forms[f"{colour} {name}"] = weight / 2
        for _ in range(variety):
            shade = chance.choice(SHADES[colour]) if colour in SHADES and chance.random() < 0.2 else colour
            phrase = chance.choice(COLOUR_FORMS).format(c=shade, n=name)
            if chance.random() < 0.25:
                phrase = chance.choice(OPENINGS).format(phrase)
            elif chance.random() < 0.3:
                phrase += chance.choice(TAILS)
            forms[phrase] = weight / variety
    return forms


def plain_nouns(words: Words) -> list[str]:
    """The few names to which a colour can be put: short ones that have no colour in them."""
    names = [
        n for n in words.names if len(n.split()) <= 2 and not set(n.split()) & {*COLOURS, "golden", "gold"}
    ]
    return sorted(names, key=lambda name: -words.names[name])[:3] or list(words.names)[:1]


def scaled(forms: dict[str, float], total: float) -> dict[str, float]:
    """The same proportions with another sum."""
    rest = sum(forms.values())
    return {form: weight * total / rest for form, weight in forms.items()} if rest else {}


STYLE_FORMS = (
    "{s} {n}", "a {s} {n}", "{n} in {s} style", "a {n} in {s} style", "{n}, {s} style", "{s} style {n}",
    "{n} {s}",
)  # fmt: skip
STYLE_WORDS: dict[str, tuple[str, ...]] = {
    "flat": (
        "{n}, flat design",
        "flat icon of a {n}",
        "flat design {n}",
        "a flat drawing of a {n}",
        "a {n}, flat",
    ),
    "3d": (
        "3d render of a {n}",
        "{n}, 3d render",
        "a {n} in 3d",
        "a shiny 3d {n}",
        "a 3d model of a {n}",
        "{n}, 3d",
    ),
    "blob": ("a {n} as a blob", "{n} blob", "a blob {n}, cute", "{n}, blob"),
}
BACKGROUND_FORMS = (
    "{n} on a {c} background", "{n} on {c} background", "{n} with a {c} background", "{n}, {c} background",
    "{c} background, {n}", "{n} in front of a {c} background", "{n} on a plain {c} background",
)  # fmt: skip
PAIR_FORMS = (
    "{a} and {b}", "{a} and {b}", "{a} and {b}", "{a} next to {b}", "{a} beside {b}", "{a} with {b}",
    "{a} and {b} side by side", "{a} to the left of {b}", "{a}, {b}", "{a} and also {b}",
)  # fmt: skip
STACKED_FORMS = (
    "{a} above {b}", "{a} on top of {b}", "{b} below {a}", "{b} under {a}", "{a} on {b}", "{a} over {b}",
    "{a} and {b}",
)  # fmt: skip
WORN_FORMS = ("{a} wearing {b}", "{a} wearing {b}", "{a} in {b}", "{a} with {b} on", "{a} who wears {b}")
NUMBERS = {2: ("two", "2", "a pair of", "a couple of"), 3: ("three", "3", "a group of three")}
COLOURED_NAMES = frozenset(COLOURS)
_grammar = inflect.engine()


def plural(noun: str) -> str:
    """Several of it."""
    return _grammar.plural_noun(noun) or noun


def chosen(forms: Sequence[str], count: int, chance: random.Random) -> dict[str, float]:
    """A few of the forms, all alike."""
    return dict.fromkeys(chance.sample(forms, min(count, len(forms))), 1.0)


def style_forms(names: list[str], style: str, chance: random.Random) -> dict[str, float]:
    """Ways to ask for one thing in one style."""
    forms: dict[str, float] = {}
    for place, name in enumerate(names):
        templates = (*STYLE_FORMS, *STYLE_WORDS[style])
        for template in chance.sample(templates, 5 if place == 0 else 3):
            forms[template.format(s=style, n=name)] = 1.0 if place == 0 else 0.6
    return forms


def background_forms(noun: str, colour: str, chance: random.Random) -> dict[str, float]:
    """Ways to ask for one thing on a plain background."""
    phrase = article(noun) if chance.random() < 0.65 else noun
    return {template.format(n=phrase, c=colour): 1.0 for template in chance.sample(BACKGROUND_FORMS, 2)}


def count_forms(noun: str, number: int, chance: random.Random) -> dict[str, float]:
    """Ways to ask for two or three of a thing; the plainest most of the time."""
    plainest = f"{NUMBERS[number][0]} {plural(noun)}"
    other = f"{chance.choice(NUMBERS[number])} {plural(noun)}"
    if chance.random() < 0.2:
        other = chance.choice(OPENINGS).format(other)
    return {plainest: 1.0, other: 0.5}


def appended(forms: dict[str, float], colour: str, chance: random.Random) -> dict[str, float]:
    """The same, on a plain background."""
    return {
        chance.choice(BACKGROUND_FORMS[:3]).format(n=form, c=colour): weight for form, weight in forms.items()
    }


def pair_forms(first: str, second: str, chance: random.Random) -> dict[str, float]:
    """Ways to ask for two things side by side, the first on the left or above."""
    bare = chance.random() < 0.3
    a, b = (first, second) if bare else (article(first), article(second))
    return {template.format(a=a, b=b): 1.0 for template in chance.sample(PAIR_FORMS, 2)}


def stacked_forms(first: str, second: str, chance: random.Random) -> dict[str, float]:
    """Ways to ask for one thing above another."""
    a, b = article(first), article(second)
    return {template.format(a=a, b=b): 1.0 for template in chance.sample(STACKED_FORMS, 2)}


def worn(noun: str) -> str:
    """What is worn, with the article that it takes: "a hat", "sunglasses"."""
    return noun if _grammar.singular_noun(noun) or noun.endswith("glasses") else article(noun)


def worn_forms(wearer: str, noun: str, chance: random.Random) -> dict[str, float]:
    """Ways to ask for someone who wears something."""
    forms = {}
    for template in chance.sample(WORN_FORMS, 3):
        form = template.format(a=article(wearer), b=worn(noun))
        if chance.random() < 0.25:
            form = chance.choice(OPENINGS).format(form)
        elif chance.random() < 0.3:
            form += chance.choice(TAILS)
        forms[form] = 1.0
    return forms


def edit_forms(noun: str, wanted: str, chance: random.Random) -> dict[str, float]:
    """Ways to ask for a given thing in another colour or style."""
    if not wanted:
        forms: tuple[str, ...] = (f"a normal {noun}", f"an ordinary {noun}", "make it normal")
    elif wanted in COLOURED_NAMES:
        forms = (
            f"make it {wanted}", f"paint it {wanted}", f"change the color to {wanted}", f"turn it {wanted}",
            f"in {wanted}", f"make the {noun} {wanted}", f"a {wanted} {noun}", f"{wanted}",
        )  # fmt: skip
    else:
        forms = (
            f"make it {wanted}", f"in {wanted} style", f"turn it into {wanted}", f"{wanted} style",
            f"make the {noun} {wanted}", f"a {wanted} {noun}", f"change the style to {wanted}",
        )  # fmt: skip
    return chosen(forms, 2, chance)
