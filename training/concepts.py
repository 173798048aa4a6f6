"""What the checkpoint can draw: one concept for each picture kept, with the words that come with it."""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.packages import document

HERE = Path(__file__).parent
PARTS = {"flag: England": "gb-eng", "flag: Scotland": "gb-sct", "flag: Wales": "gb-wls"}


@dataclass(frozen=True)
class Concept:
    """One thing in the world of the checkpoint."""

    label: str  #: its name in the emoji list, for example "dog face"
    emoji: str  #: the character
    code: str  #: its code points in hexadecimal, without variation selectors
    icons: str  #: the package whose icon set has it
    icon: str  #: its key in the icon set
    tags: tuple[str, ...]  #: search words of the emoji list
    keywords: tuple[str, ...]  #: search words of the keyword list
    group: int | None  #: of the emoji list: 0 smileys, 1 people, 3 animals and nature, 4 food, …


def concepts() -> list[Concept]:
    """All concepts in a fixed order: as the emoji list has them, then those of the second edition."""
    icons = document("noto", "chars.json")
    keywords = document("emojilib", "dist/emoji-en-US.json")
    countries = _countries()
    found = []
    for entry in _chosen():
        code = entry["hexcode"].lower().replace("-fe0f", "")
        label, country = entry["label"], ""
        if entry["label"] in countries:
            label, country = f"flag of {entry['label'].removeprefix('flag: ')}", entry["label"]
        icon = f"{countries[country]}-4x3" if country else icons.get(code)
        if icon is None:
            continue
        words = keywords.get(entry["emoji"]) or keywords.get(entry["emoji"].rstrip("\ufe0f")) or []
        words = tuple(word.replace("_", " ") for word in words)
        found.append(
            Concept(
                label,
                entry["emoji"],
                code,
                "flags" if country else "noto",
                icon,
                () if country else tuple(entry.get("tags", ())),
                () if country else words,
                entry.get("group"),
            )
        )
    return found


def things(chosen: list[Concept], rule: str = "common") -> list[int]:
    """Indices of what a list in `concepts.toml` names, in its order.

    `common` is what is drawn in other styles, counted and put side by side; `wearers` wear `hats` and
    `glasses`.
    """
    index = {concept.label: i for i, concept in enumerate(chosen)}
    labels = _rules()[rule]
    if unknown := set(labels) - set(index):
        raise ValueError(f"concepts.toml has in {rule} what is not learned: {sorted(unknown)}")
    return [index[label] for label in labels]


def faces(chosen: list[Concept]) -> list[int]:
    """Indices of the smileys that are faces."""
    return [i for i, concept in enumerate(chosen) if concept.group == 0 and "face" in concept.label]


def _rules() -> dict[str, Any]:
    return tomllib.loads((HERE / "concepts.toml").read_text())


def _countries() -> dict[str, str]:
    """The codes of countries, for example "jp", by the labels of their flags in the emoji list."""
    left_out = {f"flag: {name}" for name in _rules()["no flag"]}
    found = {}
    for entry in document("emojibase", "en/data.json"):
        label = entry["label"]
        if label in PARTS:
            found[label] = PARTS[label]
        elif label.startswith("flag: ") and label not in left_out:
            letters = [chr(int(point, 16) - 0x1F1E6 + ord("a")) for point in entry["hexcode"].split("-")[:2]]
            found[label] = "".join(letters)
    return found


def _chosen() -> Iterator[dict[str, Any]]:
    """The entries of the emoji list that `concepts.toml` keeps."""
    rules = _rules()
    drop, extra = set(rules["drop"]), {*rules["people"], *rules["symbols"], *rules["flags"]}
    added = {f"{gender} {role}" for gender in ("man", "woman") for role in rules["men and women"]}
    entries, countries = document("emojibase", "en/data.json"), _countries()
    unknown = (drop | extra | added) - {entry["label"] for entry in entries}
    if unknown:
        raise ValueError(f"concepts.toml names labels that the emoji list does not have: {sorted(unknown)}")
    for entry in entries:
        if entry["label"] in drop:
            continue
        if entry.get("group") in rules["groups"] or entry["label"] in extra:
            yield entry
    for entry in entries:
        if entry["label"] in added or entry["label"] in countries:
            yield entry
