"""Lists of terms as data: which words belong to which category, how grave they are, and what is harmless.

A term is one word or several. A word ending in `*` stands for all words that begin so; `<18` stands for every
number below 18. Terms are matched word by word, never within a word, but for scripts without spaces.
"""

import functools
import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import msgspec

from tintype.domain.errors import BadTerms
from tintype.moderation.text import MINOR_AGE, normal, words

SHIPPED = Path(__file__).parent / "terms"
LONGEST = 16
"""Words in a term; of scripts without spaces, characters."""
SHORTEST_STEM = 2

Score = Annotated[float, msgspec.Meta(gt=0, le=1)]
Category = Annotated[str, msgspec.Meta(pattern="^[a-z][a-z-]*$")]


class TermList(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What its terms mean. Without a category they mean nothing alone: combinations refer to them."""

    category: Category = ""
    score: Score = 1.0


class Combination(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A term of one of the first lists and one of the second, in one prompt."""

    category: Category
    score: Score
    first: frozenset[str]
    second: frozenset[str]
    within: int = 0
    """At most so many words apart; 0: anywhere in the prompt."""


class Terms(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one file says, or several together."""

    lists: dict[str, TermList] = {}
    combinations: tuple[Combination, ...] = ()
    terms: dict[str, tuple[str, ...]] = {}
    """The name of a list → its terms."""
    exceptions: tuple[str, ...] = ()
    """Phrases in which no term counts."""

    def categories(self) -> set[str]:
        """Everything a prompt can be refused for."""
        alone = {each.category for each in self.lists.values() if each.category}
        return alone | {each.category for each in self.combinations}


def load_terms(own: Path | None = None) -> Terms:
    """The shipped terms, and the operator's own besides. Raises BadTerms."""
    paths = sorted(SHIPPED.glob("*.toml"))
    if own is not None:
        paths.append(own)
    said = {path: _read(path) for path in paths}
    merged = functools.reduce(_merged, said.values())
    for path, terms in said.items():
        _check(path, terms, merged)
    return merged


def _read(path: Path) -> Terms:
    try:
        return msgspec.convert(tomllib.loads(path.read_text("utf-8")), Terms)
    except (OSError, ValueError) as problem:
        raise BadTerms(path=path, problem=problem) from problem


def _merged(one: Terms, other: Terms) -> Terms:
    names = one.terms.keys() | other.terms.keys()
    return Terms(
        lists=one.lists | other.lists,
        combinations=one.combinations + other.combinations,
        terms={name: one.terms.get(name, ()) + other.terms.get(name, ()) for name in names},
        exceptions=one.exceptions + other.exceptions,
    )


def _check(path: Path, said: Terms, merged: Terms) -> None:
    known = merged.lists.keys()
    named = {*said.terms}.union(*(each.first | each.second for each in said.combinations))
    if unknown := named - known:
        listed = ", ".join(sorted(known))
        raise BadTerms(path=path, problem=f"{min(unknown)} is not one of the lists {listed}")
    for term in (*said.exceptions, *(term for terms in said.terms.values() for term in terms)):
        try:
            pattern_of(term)
        except ValueError as problem:
            raise BadTerms(path=path, problem=f"the term {term!r} {problem}") from problem


_PIECE = re.compile(r"(<18)|(\*)|([^*<]+|<)")


def pattern_of(term: str) -> tuple[str, ...]:
    """The words of a term as they are looked up; a stem keeps its `*`. Raises ValueError."""
    pattern: list[str] = []
    for age, star, plain in _PIECE.findall(term):
        if age:
            pattern.append(MINOR_AGE)
        elif star:
            if not pattern or len(pattern[-1]) < SHORTEST_STEM or pattern[-1].endswith("*"):
                raise ValueError(f"has a * without {SHORTEST_STEM} letters before it")
            pattern[-1] += "*"
        else:
            pattern.extend(words(normal(plain)))
    if not pattern:
        raise ValueError("holds no word")
    if len(pattern) > LONGEST:
        raise ValueError(f"has more than {LONGEST} words")
    return tuple(pattern)


def patterns(texts: Iterable[str]) -> list[tuple[str, ...]]:
    """Each text as `pattern_of` reads it."""
    return [pattern_of(text) for text in texts]
