"""docs/catalogue.md is kept true: it tells of every key that a page may have, and of no other."""

import re
from pathlib import Path

import pytest

from tintype.domain.catalogue import DRAWN_FROM, Model
from tintype.domain.parameter import TYPES, Parameter
from tintype.domain.tariff import Method, Tariff

DOCUMENT = (Path(__file__).parents[2] / "docs" / "catalogue.md").read_text("utf-8")


def told(heading: str, *, table: int = 0) -> set[str]:
    """What the first column of a section's table names."""
    section = DOCUMENT.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    tables = re.findall(r"(?:^\|.*\n)+", section, re.MULTILINE)
    rows = tables[table].splitlines()[2:]
    return {name for row in rows for name in re.findall(r"`([\w-]+)`", row.split("|")[1])}


@pytest.mark.parametrize(
    ("heading", "kind"), [("A model", Model), ("A parameter", Parameter), ("Tariffs", Tariff)]
)
def test_every_key_of_a_page_is_told(heading: str, kind: type) -> None:
    assert told(heading) == set(kind.__struct_fields__)


def test_every_type_and_every_method_is_told() -> None:
    assert told("A parameter", table=1) == set(TYPES)
    assert told("Tariffs", table=1) == set(Method)


def test_what_engines_draw_from_is_told() -> None:
    sentence = DOCUMENT.split("Engines draw from", 1)[1].split(", so", 1)[0]

    assert set(re.findall(r"`(\w+)`", sentence)) == set(DRAWN_FROM)
