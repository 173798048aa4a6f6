"""An operator's word, a project's word, and the level a request asks for."""

from pathlib import Path

import pytest

from tintype.domain.errors import BadModeration, BadTerms
from tintype.moderation.levels import Levels, load_levels
from tintype.moderation.policy import Policy, read_policy


@pytest.mark.parametrize(
    ("text", "policy"),
    [
        ("default", Policy()),
        ("off", Policy(prompt="off", input="off", image="off")),
        ("0", Policy(prompt="0", input="0", image="0")),
        ("prompt=off,image=2", Policy(prompt="off", image="2")),
        (" input = 3 ", Policy(input="3")),
    ],
)
def test_a_policy_is_read_from_its_text(text: str, policy: Policy) -> None:
    assert read_policy(text) == policy
    assert read_policy(str(policy)) == policy


@pytest.mark.parametrize(
    "text", ["", "on", "7", "prompt", "prompt=", "prompt=7", "video=1", "prompt=1;image=2"]
)
def test_anything_else_is_no_policy(text: str) -> None:
    with pytest.raises(BadModeration, match="no moderation policy; right are default, off"):
        read_policy(text)


def test_a_projects_word_counts_before_the_operators_general_one() -> None:
    policy = read_policy("prompt=6,image=off").over(read_policy("1"))

    assert policy == Policy(prompt="6", input="1", image="off")


def test_a_request_gets_no_more_tolerance_than_the_policy_has() -> None:
    policy = read_policy("prompt=1,input=off")

    assert [policy.tolerance("prompt", asked) for asked in (0, 1, 6)] == [0, 1, 1]
    assert policy.tolerance("input", 0) is None
    assert [policy.tolerance("image", asked) for asked in (0, 6)] == [0, 6]


def test_every_level_is_at_most_as_strict_as_the_one_below(levels: Levels) -> None:
    for gate in ("prompt", "input", "image"):
        for stricter, laxer in zip(range(6), range(1, 7), strict=True):
            strict, lax = levels.of(gate, stricter), levels.of(gate, laxer)
            assert lax.keys() <= strict.keys()
            assert all(strict[category] <= threshold for category, threshold in lax.items())
        assert levels.of(gate, 6) == {}


def test_an_operator_replaces_thresholds_by_category(tmp_path: Path, levels: Levels) -> None:
    path = tmp_path / "levels.toml"
    path.write_text("[picture]\nsexual = [0, 0, 0.1, 0.2, 0.3, 0.4, 0.5]\n")

    changed = load_levels(path)

    assert changed.of("image", 6) == {"sexual": 0.5}
    assert changed.picture["suggestive"] == levels.picture["suggestive"]
    assert changed.prompt == levels.prompt


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[picture]\nsexual = [0.1]", "picture.sexual must be 7 rising numbers"),
        ("[prompt]\nhate = [1, 0, 0, 0, 0, 0, 0]", "prompt.hate must be 7 rising numbers"),
        ("[picture]\nviolence = [0, 0, 0, 0, 0, 0, 0]", "picture.violence is not one of sexual, suggestive"),
        ("[pictures]", "unknown field `pictures`"),
    ],
)
def test_bad_thresholds_say_what_is_wrong(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "levels.toml"
    path.write_text(text)

    with pytest.raises(BadTerms, match=problem):
        load_levels(path)
