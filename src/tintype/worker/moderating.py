"""The worker's part in moderation: judges a task's prompt, and tells its engine which pictures to refuse."""

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tintype.domain.prompt import LONGEST_READ
from tintype.engine.protocol import Refused, Screen
from tintype.moderation.levels import Levels
from tintype.moderation.policy import Policy
from tintype.moderation.prompts import PromptGate
from tintype.moderation.refusal import Refusal

Inputs = Mapping[str, Any]
"""A task's checked inputs."""
DEFAULT_TOLERANCE = 2
"""Of models whose page has no safetyTolerance."""
QUICK = 10_000
"""Characters that are read in a few milliseconds; a longer prompt is read beside everything else."""
READERS = 1
"""Threads that read long prompts. They are no others', which so never wait for them."""


class Moderating:
    """Judges what tasks ask for, under the operator's general policy and that of a task's project."""

    def __init__(self, *, gate: PromptGate, levels: Levels, policy: Policy) -> None:
        self._gate = gate
        self._levels = levels
        self._policy = policy
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="moderation")

    async def judge(self, inputs: Inputs, policy: Policy) -> Refusal | None:
        """Why the prompt is refused, as far as an engine reads it; None if it is not."""
        prompt = inputs["prompt"][:LONGEST_READ]
        thresholds = self._levels.judging("prompt", policy.over(self._policy), _asked(inputs))
        if len(prompt) <= QUICK:
            return self._gate.judge(prompt, thresholds)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._readers, self._gate.judge, prompt, thresholds)

    def screen(self, inputs: Inputs, policy: Policy) -> Screen:
        """What the engine is to refuse of the pictures."""
        effective, asked = policy.over(self._policy), _asked(inputs)
        return Screen(
            input=dict(self._levels.judging("input", effective, asked)),
            image=dict(self._levels.judging("image", effective, asked)),
        )


def refusal_of(refused: Refused) -> Refusal:
    """What the engine refused, in the words of the gates."""
    return Refusal(stage=refused.stage, category=refused.category, score=refused.score)


def _asked(inputs: Inputs) -> int:
    return int(inputs.get("safetyTolerance", DEFAULT_TOLERANCE))
