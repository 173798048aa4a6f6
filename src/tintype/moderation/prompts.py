"""The gate that reads prompts: which categories it finds, how strongly, and whether a level refuses that."""

from collections.abc import Sequence
from pathlib import Path

from tintype.domain.errors import BadTerms
from tintype.moderation.levels import Levels, Thresholds
from tintype.moderation.refusal import Refusal
from tintype.moderation.terms import Combination, TermList, Terms, patterns
from tintype.moderation.text import readings
from tintype.moderation.trie import Node

ALWAYS = "minors"
"""Sexual content involving minors: refused at every level, and also where the gate is off."""


class PromptGate:
    """Knows the terms; says what a prompt is refused for. Reads a prompt in time linear in its length."""

    def __init__(self, terms: Terms, levels: Levels, *, origin: Path | str = "terms") -> None:
        """Raises BadTerms, naming `origin`, for a category without thresholds."""
        if unknown := terms.categories() - levels.prompt.keys() - {ALWAYS}:
            problem = f"the category {min(unknown)} has no row in [prompt] of the levels"
            raise BadTerms(path=origin, problem=problem)
        self._lists = terms.lists
        self._combinations = terms.combinations
        self._tree = Node()
        for name, listed in terms.terms.items():
            for pattern in patterns(listed):
                node = self._tree.grow(pattern)
                node.lists |= {name}
        for pattern in patterns(terms.exceptions):
            self._tree.grow(pattern).harmless = True

    def judge(self, prompt: str, thresholds: Thresholds) -> Refusal | None:
        """The gravest thing in the prompt that the thresholds do not allow; None if all is allowed."""
        found = self.find(prompt)
        if ALWAYS in found:
            return Refusal(stage="prompt", category=ALWAYS, score=found[ALWAYS])
        too_much = {
            category: score
            for category, score in found.items()
            if category in thresholds and score >= thresholds[category]
        }
        if not too_much:
            return None
        gravest = max(too_much, key=lambda category: too_much[category])
        return Refusal(stage="prompt", category=gravest, score=too_much[gravest])

    def find(self, prompt: str) -> dict[str, float]:
        """Every category in the prompt, with the score of its gravest term or combination, 0..1."""
        findings = _Findings(self._combinations)
        for words in readings(prompt):
            self._read(words, findings)
        return findings.scores(self._lists)

    def _read(self, words: Sequence[str], findings: "_Findings") -> None:
        findings.begin()
        tree, exact, stems, lengths = self._tree, self._tree.exact, self._tree.stems, self._tree.lengths
        leads: dict[str, bool] = {}
        harmless_until = 0
        for start, word in enumerate(words):
            if word not in leads:
                leads[word] = word in exact or any(word[:length] in stems for length in lengths)
            if not leads[word]:
                continue
            ends = list(tree.ends(words, start))
            harmless_until = max([harmless_until, *(end for end, node in ends if node.harmless)])
            for end, node in ends:
                if node.lists and end > harmless_until:
                    findings.add(node.lists, start, end)


class _Findings:
    """What has been found in a prompt so far."""

    def __init__(self, combinations: Sequence[Combination]) -> None:
        self._near = [each for each in combinations if each.within]
        self._anywhere = [each for each in combinations if not each.within]
        self._seen: set[str] = set()
        self._close: set[Combination] = set()
        self._last: dict[str, int] = {}

    def begin(self) -> None:
        """Another reading: places in the one before mean nothing in it."""
        self._last = {}

    def add(self, lists: frozenset[str], start: int, end: int) -> None:
        for combination in self._near:
            for own, other in (
                (combination.first, combination.second),
                (combination.second, combination.first),
            ):
                if lists & own:
                    last = max((self._last.get(name, -1) for name in other), default=-1)
                    if 0 <= last <= start <= last + combination.within:
                        self._close.add(combination)
        self._seen |= lists
        for name in lists:
            self._last[name] = max(end, self._last.get(name, 0))

    def scores(self, lists: dict[str, TermList]) -> dict[str, float]:
        found = [(lists[name].category, lists[name].score) for name in self._seen if lists[name].category]
        found += [(each.category, each.score) for each in self._close]
        found += [
            (each.category, each.score)
            for each in self._anywhere
            if self._seen & each.first and self._seen & each.second
        ]
        scores: dict[str, float] = {}
        for category, score in found:
            scores[category] = max(score, scores.get(category, 0.0))
        return scores
