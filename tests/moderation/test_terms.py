"""Lists of terms as an operator writes them."""

from pathlib import Path

import pytest

from tintype.domain.errors import BadTerms
from tintype.moderation.levels import Levels
from tintype.moderation.prompts import PromptGate
from tintype.moderation.terms import load_terms, pattern_of


def own(folder: Path, text: str) -> Path:
    path = folder / "own.toml"
    path.write_text(text, "utf-8")
    return path


def test_an_operator_adds_terms_lists_and_exceptions(tmp_path: Path, levels: Levels) -> None:
    path = own(
        tmp_path,
        """
        exceptions = ["nude descending a staircase"]
        [lists.rivals]
        category = "illegal"
        score = 0.8
        [terms]
        rivals = ["acme corp*"]
        nudity = ["au naturel"]
        """,
    )

    gate = PromptGate(load_terms(path), levels)

    assert gate.find("the logo of ACME Corporation") == {"illegal": 0.8}
    assert "sexual" in gate.find("a hiker au naturel")
    assert gate.find("Nude descending a Staircase, in the style of Duchamp") == {}
    assert "sexual" in gate.find("a nude")


def test_a_category_of_ones_own_needs_thresholds(tmp_path: Path, levels: Levels) -> None:
    terms = load_terms(own(tmp_path, '[lists.rivals]\ncategory = "brands"\n[terms]\nrivals = ["acme"]\n'))

    with pytest.raises(BadTerms, match="the category brands has no row"):
        PromptGate(terms, levels)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('[terms]\nnudes = ["x"]', "nudes is not one of the lists"),
        ('[terms]\nnudity = ["..."]', r"the term '\.\.\.' holds no word"),
        ('[terms]\nnudity = ["a*"]', "without 2 letters before it"),
        ("[lists.mine]\nscore = 2", "Expected `float` <= 1.0"),
        ("terms = 3", "Expected `object`"),
        ("[term]\n", "unknown field `term`"),
        ("[[combinations]]\n", "missing required field"),
        ("terms", "Expected '='"),
    ],
)
def test_a_bad_file_says_what_is_wrong(tmp_path: Path, text: str, problem: str) -> None:
    path = own(tmp_path, text)

    with pytest.raises(BadTerms, match=problem) as refused:
        load_terms(path)
    assert str(refused.value).startswith(str(path))


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(BadTerms, match="No such file"):
        load_terms(tmp_path / "missing.toml")


def test_a_term_is_read_as_a_prompt_is() -> None:
    assert pattern_of("Séance  de PHOTO*") == ("seance", "de", "photo*")
    assert pattern_of("<18-jährig*") == ("<18", "jahrig*")
    assert pattern_of("裸の人") == ("裸", "の", "人")
