"""Rotary embeddings, computed once per layout instead of once per forward."""

import threading
from collections import OrderedDict
from typing import Any

from torch import Tensor, nn

_KEPT_TOKENS = 2**18
"""0.3 GB at 128 dimensions a head."""

Rotary = tuple[Tensor, Tensor]


class RememberedPositions(nn.Module):
    """Stands in for the transformer's `pos_embed`; remembers the newest position tensors by identity.

    For any thread. Positions are never changed in place, and are kept alive here, so identity means equality.
    """

    def __init__(self, embed: Any) -> None:
        super().__init__()
        self._embed = embed
        self._known: OrderedDict[int, tuple[Tensor, Rotary]] = OrderedDict()
        self._lock = threading.Lock()

    def forward(self, positions: Tensor) -> Rotary:
        """(tokens, axes) → cosines and sines, (tokens, head dimensions) each."""
        with self._lock:
            known = self._known.get(id(positions))
            if known is None:
                known = self._known[id(positions)] = (positions, self._embed(positions))
                while len(self._known) > 1 and self._tokens() > _KEPT_TOKENS:
                    self._known.popitem(last=False)
            return known[1]

    def _tokens(self) -> int:
        return sum(positions.shape[0] for positions, _ in self._known.values())


def remember_positions(transformer: Any) -> None:
    """Have the transformer compute the embedding of each position tensor once."""
    if not isinstance(transformer.pos_embed, RememberedPositions):
        transformer.pos_embed = RememberedPositions(transformer.pos_embed)
