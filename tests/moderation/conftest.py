"""One gate with the shipped terms for all tests: it remembers nothing."""

import pytest

from tintype.moderation.levels import Levels, load_levels
from tintype.moderation.prompts import PromptGate
from tintype.moderation.terms import load_terms


@pytest.fixture(scope="session")
def levels() -> Levels:
    return load_levels()


@pytest.fixture(scope="session")
def gate(levels: Levels) -> PromptGate:
    return PromptGate(load_terms(), levels)
