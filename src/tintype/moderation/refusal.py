"""A refusal: which gate refused, and why."""

import msgspec

from tintype.moderation.policy import Gate


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """What a gate found, above what the request's level allows."""

    stage: Gate
    category: str
    score: float
    """0..1."""

    def __str__(self) -> str:
        """As the wire protocol words it, section 10."""
        what = "Content" if self.stage == "image" else "Request"
        found = f"stage: {self.stage}, category: {self.category}, score: {self.score:.2f}"
        return f"{what} moderated ({found})"
