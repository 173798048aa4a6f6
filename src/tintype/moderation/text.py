"""From a prompt to words that can be looked up, whatever it was written with. All in linear time."""

import re
import unicodedata
from collections.abc import Iterator, Sequence

MINOR_AGE = "<18"
"""Stands for every whole number below 18."""
MAJORITY = 18

_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_INDIC = "\u0900-\u0963\u0966-\u0dff"
"""Scripts whose vowel signs are no letters to `\\w`."""
_WORDS = re.compile(rf"\d+|[{_CJK}]|(?:[^\W\d_{_CJK}]|[{_INDIC}])+")
_ASCII_WORDS = re.compile(r"[0-9]+|[a-z]+")

_INVISIBLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\ufe00-\ufe0f\ufeff\U000e0000-\U000e0fff"
)
_ACCENTS = "\u0300-\u036f\u0640\u064b-\u0655\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20f0\ufe20-\ufe2f"
_DROPPED = re.compile(f"[{_INVISIBLE}{_ACCENTS}]+")
_COMBINING = "".join(
    character for character in map(chr, range(0x300, 0x1E950)) if unicodedata.combining(character)
)
_PILE = re.compile(f"([{_COMBINING}]{{8}})[{_COMBINING}]+")

_LEET = str.maketrans("013457@$", "oieastas")
_LEET_RUN = re.compile(r"(?<=[a-z])[013457@$]{1,3}(?![0-9])|[013457@$]{1,3}(?=[a-z])")
_LONG = re.compile(r"([^\W\d_])\1\1+")

_LOOKALIKES = str.maketrans(
    {"а": "a", "в": "b", "е": "e", "ѕ": "s", "і": "i", "ј": "j", "к": "k", "м": "m", "н": "h", "о": "o"}
    | {"р": "p", "с": "c", "т": "t", "у": "y", "х": "x", "һ": "h", "ԁ": "d", "ɡ": "g", "ԛ": "q", "ԝ": "w"}
    | {"α": "a", "ε": "e", "ι": "i", "κ": "k", "ν": "v", "ο": "o", "ρ": "p", "τ": "t", "υ": "u", "χ": "x"}
)
_LATIN, _FOREIGN = re.compile("[a-z]"), re.compile("[\u0250-\u052f]")


def normal(text: str) -> str:
    """One spelling for many: no case, no accents, no invisible characters, compatible forms made plain."""
    if text.isascii():
        return text.lower()
    # Marks that pile up by the thousand would be sorted one by one
    text = _PILE.sub(r"\1", _DROPPED.sub("", text))
    text = unicodedata.normalize("NFKC", text).casefold()
    text = _DROPPED.sub("", unicodedata.normalize("NFD", text))
    return unicodedata.normalize("NFC", text).replace("ı", "i")


def words(text: str) -> list[str]:
    """The words of a normal text: runs of letters, numbers, and characters of scripts without spaces."""
    if text.isascii():
        found: list[str] = _ASCII_WORDS.findall(text)
    else:
        found = [_in_one_script(word) for word in _WORDS.findall(text)]
    return [
        MINOR_AGE if word.isdecimal() and len(word) <= 2 and int(word) < MAJORITY else word for word in found
    ]


def readings(text: str) -> Iterator[Sequence[str]]:
    """The words of a text, and those that it may be meant to be read as: `p0rn`, `p o r n`, `pooorn`."""
    plain = normal(text)
    first = words(plain)
    yield first
    respelled = _LEET_RUN.sub(lambda run: run[0].translate(_LEET), plain)
    second = list(_joined(words(_LONG.sub(r"\1", respelled))))
    if second != first:
        yield second
    if _LONG.search(respelled):
        yield list(_joined(words(_LONG.sub(r"\1\1", respelled))))


def _in_one_script(word: str) -> str:
    """A word in which Cyrillic or Greek letters stand among Latin ones, in Latin ones."""
    if _LATIN.search(word) and _FOREIGN.search(word):
        return word.translate(_LOOKALIKES)
    return word


def _joined(found: Sequence[str]) -> Iterator[str]:
    """The words, with three and more single letters in a row made one word."""
    run: list[str] = []
    for word in found:
        if len(word) == 1 and word.isalpha() and word < "\u3040":
            run.append(word)
            continue
        yield from _word_of(run)
        run = []
        yield word
    yield from _word_of(run)


def _word_of(run: list[str]) -> list[str]:
    if len(run) < 3:
        return run
    if len(run) > 3 and run[0] in "ai":
        return [run[0], "".join(run[1:])]
    return ["".join(run)]
