"""Inputs that a model does not leave open, since it was distilled to them."""

from typing import Annotated

import msgspec


class Fixed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What counts whatever a run asks for; None where the run decides."""

    steps: Annotated[int, msgspec.Meta(ge=1, le=1000)] | None = None
    guidance: float | None = None

    def given(self) -> dict[str, int | float]:
        """Input to value, of what is fixed."""
        pairs = (("steps", self.steps), ("guidance", self.guidance))
        return {name: value for name, value in pairs if value is not None}


OPEN = Fixed()
