"""What may be said of each picture: `work/captions.json`, from labels, hand-written names, tags and colours.

A plain picture gets captions from all of its names; a recoloured one from its plainest names with the colour.
Some names are held out, so that unseen wording can be measured.
"""

import json
import random
import re
import tomllib
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from training.concepts import Concept, concepts
from training.packages import WORK
from training.recolour import COLOURS

OPENINGS = (
    "a picture of {}", "a photo of {}", "an image of {}", "a drawing of {}", "an icon of {}",
    "an illustration of {}", "a cartoon of {}", "an emoji of {}", "draw {}", "show me {}", "paint {}",
    "a painting of {}", "please draw {}", "a cute picture of {}", "clip art of {}", "a close up of {}",
    "i want {}", "generate {}", "a sticker of {}",
)  # fmt: skip
TAILS = (
    ", highly detailed", ", vibrant colors", " on a white background", ", 4k", ", digital art",
    ", cartoon style", ", simple", ", beautiful", ", isolated", " icon", " emoji", ", flat design",
    ", sharp", ", clean lines", ", studio lighting", ", cute", ", high quality", ", centered",
    " in the park", " on a table", " in the city", " at night", " on a sunny day", " outside",
    ", masterpiece", ", best quality", " please", ", minimal", " in the background", " with soft light",
    ", photorealistic", ", 3d render", ", watercolor", ", sticker",
)  # fmt: skip
ADJECTIVES = ("cute", "beautiful", "small", "big", "simple", "nice", "single", "little", "funny", "realistic")
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
            phrase += chance.choice(TAILS)
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


def main() -> None:
    things = concepts()
    words, held = vocabulary(things)
    paints = json.loads((WORK / "recolours.json").read_text())
    chance = random.Random(0)
    pictures = []
    for thing, own in zip(things, words, strict=True):
        forms: Counter[str] = Counter()
        total = sum(own.names.values())
        for name, weight in own.names.items():
            for form, share in wordings(name, chance, 5 if weight == 3 else 3).items():
                forms[form] += 0.8 * share * weight / total
        forms.update(scaled({form: w for k, w in own.keywords.items() for form in (k, article(k))}, 0.1))
        if colour := paints["own"].get(thing.label):
            forms.update(scaled(coloured(plain_nouns(own), colour, chance, 3), 0.15))
        pictures.append({"concept": len(pictures), "forms": forms})
    for index, colour in paints["rows"]:
        pictures.append({"concept": index, "forms": coloured(plain_nouns(words[index]), colour, chance, 1)})
    unique = sorted({form for picture in pictures for form in picture["forms"]})
    content = {"captions": ["", *unique], "pictures": pictures, "held out": held}
    (WORK / "captions.json").write_text(json.dumps(content, ensure_ascii=False))
    print(f"{len(pictures)} pictures, {len(unique)} captions, {len(held)} names held out")


if __name__ == "__main__":
    main()
