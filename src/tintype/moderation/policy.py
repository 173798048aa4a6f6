"""How much may be asked for: an operator's word, one project's word, and the level that a request names."""

from typing import Literal

import msgspec

from tintype.domain.errors import BadModeration

Gate = Literal["prompt", "input", "image"]
"""The prompt; the reference pictures that a request brings; the picture that was drawn."""
GATES: tuple[Gate, ...] = ("prompt", "input", "image")

OFF = "off"
INHERITED = ""
STRICTEST, LAXEST = 0, 6
WORDS = (INHERITED, OFF, *(str(level) for level in range(STRICTEST, LAXEST + 1)))
"""What may be said of a gate: nothing, that it is off, or the greatest tolerance that a request may have."""


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """A word for each gate, one of WORDS."""

    prompt: str = INHERITED
    input: str = INHERITED
    image: str = INHERITED

    def over(self, general: "Policy") -> "Policy":
        """This policy, and the general one where this says nothing."""
        return Policy(**{gate: self.word(gate) or general.word(gate) for gate in GATES})

    def word(self, gate: Gate) -> str:
        return str(getattr(self, gate))

    def tolerance(self, gate: Gate, asked: int) -> int | None:
        """The level at which a gate judges a request that asks for `asked`; None where the gate is off."""
        word = self.word(gate)
        if word == OFF:
            return None
        return min(asked, int(word)) if word else asked

    def __str__(self) -> str:
        return ",".join(f"{gate}={self.word(gate)}" for gate in GATES if self.word(gate)) or "default"


def read_policy(text: str) -> Policy:
    """A policy from its text: `prompt=off,image=2`, `off` or `0` for all gates, `default` for no word.

    Raises BadModeration.
    """
    if text == "default":
        return Policy()
    if text in WORDS and text != INHERITED:
        return Policy(**dict.fromkeys(GATES, text))
    words: dict[str, str] = {}
    for part in text.split(","):
        gate, _, word = (piece.strip() for piece in part.partition("="))
        if gate not in GATES or word not in WORDS or word == INHERITED:
            raise BadModeration(text=text)
        words[gate] = word
    return Policy(**words)
