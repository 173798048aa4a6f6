"""Finding models: which fit a Tool/List, in which order, and in which groups Tool/Explore shows them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from tintype.api.scalars import flag, text, texts
from tintype.domain.catalogue import WORKFLOW, Model, clean_slug
from tintype.storage.statistics import Runs

ASCENDING, DESCENDING = "ASC", "DESC"
WHOLE_WORD, BEGINNING, INSIDE = 4, 2, 1
"""How well a word is met."""
LONGEST_SEARCH = 200
"""Characters of a search that are considered."""
MOST_WORDS = 16
"""Different words of a search that are considered."""


class Shelf(msgspec.Struct, frozen=True, kw_only=True):
    """Models of one category, the most used first."""

    category: str
    title: str
    models: tuple[Model, ...]


def fits(model: Model, wanted: Mapping[str, Any]) -> bool:
    """Whether a model passes the filters of a Tool/List; an empty filter passes everything.

    Of several categories or tags one is enough; every word of a search must occur.
    """
    categories, tags = set(texts(wanted, "categories")), set(texts(wanted, "tags"))
    owner = text(wanted, "slugowner").strip().lower()
    return (
        (not categories or not categories.isdisjoint(model.categories))
        and (not tags or not tags.isdisjoint(model.tags))
        and (not owner or owner in (model.owner.lower(), clean_slug(model.owner).lower()))
        and not (flag(wanted, "hideworkflows") and WORKFLOW in model.categories)
        and all(relevance(model, word) for word in _words(text(wanted, "search")))
    )


def in_order(models: Iterable[Model], wanted: Mapping[str, Any]) -> list[Model]:
    """The models as a Tool/List wants them: by `sort` and `order`, and among equals by id.

    Ids are given in the order of time. Nobody rates or comments here, so all are equal by `ratedusercount`,
    `commentcount` and `averagepoint`. The most relevant come first unless the order says otherwise.
    """
    sort, order = text(wanted, "sort").strip().lower(), text(wanted, "order").strip().upper()
    by_id = sorted(models, key=lambda model: model.id)
    if sort == "relevance":
        words = _words(text(wanted, "search"))
        scores = {model.id: sum(relevance(model, word) for word in words) for model in by_id}
        return sorted(by_id, key=lambda model: scores[model.id], reverse=order != ASCENDING)
    if sort in ("ratedusercount", "commentcount", "averagepoint"):
        return by_id
    return by_id[::-1] if order == DESCENDING else by_id


def relevance(model: Model, word: str) -> int:
    """How well a model meets a word, in lower case; 0 if it does not occur."""
    places = (
        (8, (model.slug, model.owner, model.project, model.title)),
        (4, (*model.categories, *model.tags)),
        (1, (model.description,)),
    )
    return sum(weight * max(_met(word, text) for text in texts) for weight, texts in places if texts)


def shelves(models: Sequence[Model], runs: Mapping[str, Runs]) -> list[Shelf]:
    """One shelf for each category, the fullest first."""
    categories: dict[str, list[Model]] = {}
    for model in sorted(models, key=lambda model: (-runs.get(model.slug, Runs()).all, model.id)):
        for category in dict.fromkeys(model.categories):
            categories.setdefault(category, []).append(model)
    found = [
        Shelf(category=name, title=_title(name), models=tuple(shelved))
        for name, shelved in categories.items()
    ]
    return sorted(found, key=lambda shelf: (-len(shelf.models), shelf.category))


def _words(search: str) -> list[str]:
    """What is searched for, bounded, since anybody may ask and every model is compared with every word."""
    return list(dict.fromkeys(search[:LONGEST_SEARCH].lower().split()))[:MOST_WORDS]


def _met(word: str, text: str) -> int:
    text = text.lower()
    parts = "".join(character if character.isalnum() else " " for character in text).split()
    if word in parts or word == text:
        return WHOLE_WORD
    if any(part.startswith(word) for part in parts):
        return BEGINNING
    return INSIDE if word in text else 0


def _title(category: str) -> str:
    words = category.replace("-", " ").replace("_", " ").strip()
    return words[:1].upper() + words[1:]
