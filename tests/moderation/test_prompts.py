"""What the prompt gate refuses, and what it must let pass."""

import time
from pathlib import Path

import pytest

from tintype.moderation.levels import Levels
from tintype.moderation.policy import Policy
from tintype.moderation.prompts import PromptGate
from tintype.moderation.trie import Node

HERE = Path(__file__).parent
DOCUMENT = (HERE.parents[1] / "docs" / "moderation.md").read_text("utf-8")
LONG = 2**17


def lines(name: str) -> list[str]:
    texts = (HERE / name).read_text("utf-8").splitlines()
    return [text for text in texts if text and not text.startswith("#")]


REFUSED = [tuple(part.strip() for part in line.split("|")) for line in lines("refused.txt")]


def test_no_benign_prompt_is_refused_by_default(gate: PromptGate, levels: Levels) -> None:
    benign = lines("benign.txt")

    refused = {prompt: gate.judge(prompt, levels.of("prompt", 2)) for prompt in benign}

    assert len(benign) >= 300
    assert {prompt: str(refusal) for prompt, refusal in refused.items() if refusal} == {}


@pytest.mark.parametrize("level", [0, 1])
def test_the_strictest_levels_refuse_as_many_benign_prompts_as_is_documented(
    gate: PromptGate, levels: Levels, level: int
) -> None:
    benign = lines("benign.txt")

    refused = [prompt for prompt in benign if gate.judge(prompt, levels.of("prompt", level))]

    assert f"| {len(benign)} benign prompts of the tests | " in DOCUMENT
    row = DOCUMENT.split("benign prompts of the tests | ")[1].split("\n")[0]
    assert [cell.strip() for cell in row.split("|")][level] == str(len(refused))


@pytest.mark.parametrize(("category", "highest", "prompt"), REFUSED)
def test_a_prompt_is_refused_up_to_its_level_and_not_beyond(
    gate: PromptGate, levels: Levels, category: str, highest: str, prompt: str
) -> None:
    refusals = [gate.judge(prompt, levels.of("prompt", level)) for level in range(7)]

    strict, lax = refusals[: int(highest) + 1], refusals[int(highest) + 1 :]
    assert {refusal.category for refusal in strict if refusal} == {category}
    assert None not in strict
    assert lax == [None] * len(lax)


def test_a_refusal_names_the_gravest_category(gate: PromptGate, levels: Levels) -> None:
    refusal = gate.judge("a nude statue beside a dismembered body", levels.of("prompt", 2))

    assert str(refusal) == "Request moderated (stage: prompt, category: violence, score: 0.88)"


def test_sexual_content_involving_minors_is_refused_where_the_gate_is_off(
    gate: PromptGate, levels: Levels
) -> None:
    thresholds = levels.judging("prompt", Policy(prompt="off"), asked=6)

    assert thresholds == {}
    assert gate.judge("hardcore porn", thresholds) is None
    refusal = gate.judge("a nude child", thresholds)
    assert refusal is not None
    assert refusal.category == "minors"


@pytest.mark.parametrize(
    "prompt",
    [
        "a child looking at the sea, and a bronze statue",
        "a baby drinking from a bottle nipple",
        "a mother breast feeding her baby",
        "a kid flying a kite on a hill above the town, and far below a sexy sports car",
        "baby blue nude lipstick",
        "teen titans poster",
    ],
)
def test_minors_alone_are_no_reason(gate: PromptGate, levels: Levels, prompt: str) -> None:
    refusal = gate.judge(prompt, levels.of("prompt", 2))

    assert refusal is None


def test_words_far_apart_are_no_combination_if_each_is_harmless(gate: PromptGate) -> None:
    near = "exterminate all the jews"
    far = "exterminate the weeds in this garden, painted by one of the many jews of Vilnius"

    assert "hate" in gate.find(near)
    assert "hate" not in gate.find(far)


def test_an_exception_excuses_only_the_words_it_covers(gate: PromptGate) -> None:
    assert gate.find("as seen with the naked eye") == {}
    assert "sexual" in gate.find("a naked man, seen with the naked eye")


@pytest.mark.parametrize(
    "text",
    [
        "a" * LONG,
        "a " * (LONG // 2),
        "0" * LONG,
        "@$0" * (LONG // 3),
        "e\u0301" * (LONG // 2),
        "e" + "\u0316\u0301" * (LONG // 2),
        "nude nud" * (LONG // 8),
        "nak" * (LONG // 3),
        "裸" * (LONG // 4),
        "bare " * (LONG // 5),
        "نحيا " * (LONG // 8),
    ],
    ids=[
        "one word",
        "letters",
        "digits",
        "signs",
        "accents",
        "piles",
        "terms",
        "stems",
        "cjk",
        "leads",
        "arabic",
    ],
)
def test_a_long_prompt_takes_twice_the_work_of_half_of_it(
    gate: PromptGate, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = 0
    after = Node.after

    def counted(node: Node, word: str) -> list[Node]:
        nonlocal looks
        looks += 1
        return after(node, word)

    monkeypatch.setattr(Node, "after", counted)
    gate.find(text[: len(text) // 2])
    half, looks = looks, 0
    started = time.process_time()
    gate.find(text)

    assert looks <= 2 * half + 100
    assert time.process_time() - started < 15  # anything quadratic takes minutes


def test_a_megabyte_is_read_in_seconds(gate: PromptGate) -> None:
    text = "a very ordinary prompt about mountains and rivers, with golden light " * (2**20 // 70)

    started = time.process_time()
    found = gate.find(text + "and at the very end a nude")

    assert time.process_time() - started < 15
    assert "sexual" in found
