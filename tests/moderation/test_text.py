"""One spelling for many."""

import time

import pytest

from tintype.moderation.text import MINOR_AGE, normal, readings, words


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("NAÏVE Café", "naive cafe"),
        ("ｆｕｌｌ　ｗｉｄｔｈ", "full width"),
        ("𝓼𝓬𝓻𝓲𝓹𝓽", "script"),
        ("ze\u200bro\u00adwidth", "zerowidth"),
        ("İSTANBUL ılık", "istanbul ilik"),
        ("Straße", "strasse"),
        ("ёлка", "елка"),
        ("إباحي", "اباحي"),
        ("プール", "プール"),
        ("हिन्दी", "हिन्दी"),
    ],
)
def test_a_text_is_read_in_one_spelling(written: str, read: str) -> None:
    assert normal(written) == read


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a red-and-blue kite", ["a", "red", "and", "blue", "kite"]),
        ("snake_case", ["snake", "case"]),
        ("12yo", [MINOR_AGE, "yo"]),
        ("aged 17 or 18", ["aged", MINOR_AGE, "or", "18"]),
        ("猫と犬 cats", ["猫", "と", "犬", "cats"]),
        ("नंगे पैर", ["नंगे", "पैर"]),
        ("१२ साल", [MINOR_AGE, "साल"]),
        ("pаssword", ["password"]),
        ("пароль", ["пароль"]),
    ],
)
def test_words_are_found_in_every_script(text: str, found: list[str]) -> None:
    assert words(normal(text)) == [normal(word) if word != MINOR_AGE else word for word in found]


@pytest.mark.parametrize(
    ("text", "reading"),
    [
        ("k1te", ["kite"]),
        ("k i t e", ["kite"]),
        ("k.i.t.e", ["kite"]),
        ("a k i t e", ["a", "kite"]),
        ("kiiiite", ["kite"]),
        ("bœœœk", ["bœk"]),
    ],
)
def test_hidden_words_are_read_as_well(text: str, reading: list[str]) -> None:
    assert reading in [list(found) for found in readings(text)]


def test_plain_text_is_read_once() -> None:
    assert len(list(readings("a red kite over 7 hills"))) == 1


def test_piled_marks_cost_no_more_than_letters() -> None:
    pile = "a" + "\u0316\u0301\u05ae" * 100_000

    started = time.process_time()
    normal(pile)

    assert time.process_time() - started < 5  # sorted one by one it takes minutes
