"""What each level of `safetyTolerance` refuses: a threshold for every category of every gate."""

import math
import tomllib
from collections.abc import Mapping
from pathlib import Path

import msgspec

from tintype.domain.errors import BadTerms
from tintype.moderation.policy import LAXEST, STRICTEST, Gate, Policy

HERE = Path(__file__).parent
SHIPPED = HERE / "levels.toml"
COUNT = LAXEST - STRICTEST + 1

Thresholds = Mapping[str, float]
"""Category → the score from which on it is refused; `inf` where nothing is."""


class Levels(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """For each category the thresholds of the levels 0 to 6."""

    prompt: dict[str, tuple[float, ...]] = {}
    picture: dict[str, tuple[float, ...]] = {}
    """Of drawn pictures, and of those that a request brings."""

    def of(self, gate: Gate, level: int) -> Thresholds:
        """The thresholds of a gate at a level, of those categories that it refuses at all."""
        table = self.prompt if gate == "prompt" else self.picture
        found = {category: row[level] for category, row in table.items()}
        return {category: score for category, score in found.items() if score < math.inf}

    def judging(self, gate: Gate, policy: Policy, asked: int) -> Thresholds:
        """The thresholds for a request that asks for `asked`; empty where the gate is off."""
        level = policy.tolerance(gate, asked)
        return {} if level is None else self.of(gate, level)


def load_levels(own: Path | None = None) -> Levels:
    """The shipped levels; a category in the operator's own file replaces the shipped one. Raises BadTerms."""
    levels = _read(SHIPPED)
    if own is None:
        return levels
    changes = _read(own)
    for table, known in ((changes.prompt, levels.prompt), (changes.picture, levels.picture)):
        if table is changes.picture and (unknown := table.keys() - known.keys()):
            what = ", ".join(sorted(known))
            raise BadTerms(path=own, problem=f"picture.{min(unknown)} is not one of {what}")
    return Levels(prompt=levels.prompt | changes.prompt, picture=levels.picture | changes.picture)


def _read(path: Path) -> Levels:
    try:
        levels = msgspec.convert(tomllib.loads(path.read_text("utf-8")), Levels)
    except (OSError, ValueError) as problem:
        raise BadTerms(path=path, problem=problem) from problem
    for gate, table in (("prompt", levels.prompt), ("picture", levels.picture)):
        for category, row in table.items():
            if len(row) != COUNT or not all(score >= 0 for score in row) or list(row) != sorted(row):
                right = f"must be {COUNT} rising numbers from 0 on, for the levels 0 to 6 (inf: never)"
                raise BadTerms(path=path, problem=f"{gate}.{category} {right}")
    return levels
