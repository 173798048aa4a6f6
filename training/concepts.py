"""What the checkpoint can draw: one concept for each picture kept, with the words that come with it."""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.packages import document

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Concept:
    """One thing in the world of the checkpoint."""

    label: str  #: its name in the emoji list, for example "dog face"
    emoji: str  #: the character
    code: str  #: its code points in hexadecimal, without variation selectors
    icon: str  #: its key in the icon set
    tags: tuple[str, ...]  #: search words of the emoji list
    keywords: tuple[str, ...]  #: search words of the keyword list
    group: int | None  #: of the emoji list: 0 smileys, 1 people, 3 animals and nature, 4 food, …


def concepts() -> list[Concept]:
    """All concepts in a fixed order: as the emoji list has them, then those of the second edition."""
    icons = document("noto", "chars.json")
    keywords = document("emojilib", "dist/emoji-en-US.json")
    found = []
    for entry in _chosen():
        code = entry["hexcode"].lower().replace("-fe0f", "")
        icon = icons.get(code)
        if icon is None:
            continue
        words = keywords.get(entry["emoji"]) or keywords.get(entry["emoji"].rstrip("\ufe0f")) or []
        words = tuple(word.replace("_", " ") for word in words)
        found.append(
            Concept(
                entry["label"],
                entry["emoji"],
                code,
                icon,
                tuple(entry.get("tags", ())),
                words,
                entry.get("group"),
            )
        )
    return found


def things(chosen: list[Concept]) -> list[int]:
    """Indices of what one can count and put side by side: animals, plants, food and what is painted."""
    rules = tomllib.loads((HERE / "paint.toml").read_text())
    painted = {label for kind in ("hue", "grey") for labels in rules[kind].values() for label in labels}
    return [i for i, concept in enumerate(chosen) if concept.group in (3, 4) or concept.label in painted]


def faces(chosen: list[Concept]) -> list[int]:
    """Indices of the smileys that are faces."""
    return [i for i, concept in enumerate(chosen) if concept.group == 0 and "face" in concept.label]


def _chosen() -> Iterator[dict[str, Any]]:
    """The entries of the emoji list that `concepts.toml` keeps."""
    rules = tomllib.loads((HERE / "concepts.toml").read_text())
    drop, extra = set(rules["drop"]), {*rules["people"], *rules["symbols"], *rules["flags"]}
    added = {f"{gender} {role}" for gender in ("man", "woman") for role in rules["men and women"]}
    entries = document("emojibase", "en/data.json")
    unknown = (drop | extra | added) - {entry["label"] for entry in entries}
    if unknown:
        raise ValueError(f"concepts.toml names labels that the emoji list does not have: {sorted(unknown)}")
    for entry in entries:
        if entry["label"] in drop:
            continue
        if entry.get("group") in rules["groups"] or entry["label"] in extra:
            yield entry
    for entry in entries:
        if entry["label"] in added or (entry["label"].startswith("flag: ") and entry["label"] not in extra):
            yield entry
