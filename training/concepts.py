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
    icon: str  #: its key in the icon set
    tags: tuple[str, ...]  #: search words of the emoji list
    keywords: tuple[str, ...]  #: search words of the keyword list


def concepts() -> list[Concept]:
    """All concepts in a fixed order: the groups as listed, then people, symbols and flags."""
    icons = document("noto", "chars.json")
    keywords = document("emojilib", "dist/emoji-en-US.json")
    found = []
    for entry in _chosen():
        icon = icons.get(entry["hexcode"].lower().replace("-fe0f", ""))
        if icon is None:
            continue
        words = keywords.get(entry["emoji"]) or keywords.get(entry["emoji"].rstrip("\ufe0f")) or []
        words = tuple(word.replace("_", " ") for word in words)
        found.append(Concept(entry["label"], entry["emoji"], icon, tuple(entry.get("tags", ())), words))
    return found


def _chosen() -> Iterator[dict[str, Any]]:
    """The entries of the emoji list that `concepts.toml` keeps."""
    rules = tomllib.loads((HERE / "concepts.toml").read_text())
    drop, extra = set(rules["drop"]), {*rules["people"], *rules["symbols"], *rules["flags"]}
    entries = document("emojibase", "en/data.json")
    unknown = (drop | extra) - {entry["label"] for entry in entries}
    if unknown:
        raise ValueError(f"concepts.toml names labels that the emoji list does not have: {sorted(unknown)}")
    for entry in entries:
        if entry["label"] in drop:
            continue
        if entry.get("group") in rules["groups"] or entry["label"] in extra:
            yield entry
