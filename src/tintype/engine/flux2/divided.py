"""Forward passes on CPUs, divided by rows among threads that compute alone.

Threads that share every product wait for each other some 300 times in a pass. In a small model
that takes longer than what they share, or has them spin, which takes the cores from everything else. Rows
do not meet in a transformer, so each thread takes some of them instead, through the whole pass.
"""

import copy
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

import torch
from torch import Tensor

LEAST_WORK = 2e9
"""Floating-point operations for which a further thread is worth it: some 15 ms of one."""
MOST_WORK = 100e9
"""Of a pass: beyond that the threads share every product, which then takes longer than to wait for it."""
_ROWS = ("hidden_states", "timestep", "encoder_hidden_states", "guidance")


class Divided:
    """Stands in for the `forward` of a `Flux2Transformer2DModel`. For one thread, and those it employs."""

    def __init__(
        self, transformer: Any, *, threads: int, least: float = LEAST_WORK, most: float = MOST_WORK
    ) -> None:
        """`least` and `most` are floating-point operations, as above. For inference alone."""
        self._whole = self._part = transformer.forward
        self._threads = threads
        self._least, self._most = least, most
        layers = (module for module in transformer.modules() if hasattr(module, "in_features"))
        self._work = 2 * sum(layer.in_features * layer.out_features for layer in layers)
        self._helpers = ThreadPoolExecutor(
            max(1, threads - 1),
            thread_name_prefix="rows",
            initializer=torch.set_num_threads,
            initargs=(1,),
        )

    def through(self, part: Callable[..., tuple[Tensor]]) -> "Divided":
        """With the same threads, which use `part` for their passes."""
        other = copy.copy(self)
        other._part = part
        return other

    def divides(self, inputs: Mapping[str, Tensor]) -> bool:
        """Whether threads compute alone in such a pass, be it one thread."""
        return self._parts(inputs) > 0

    def __call__(self, **inputs: Any) -> tuple[Tensor]:
        """As the transformer with `return_dict=False`; everything but the rows' tensors is a constant."""
        parts = self._parts(inputs)
        if parts == 0:
            torch.set_num_threads(self._threads)
            return (self._whole(**inputs)[0],)
        torch.set_num_threads(1)  # of this thread, and of MKL in all threads
        first, *others = _divided(inputs, parts)
        helping = [self._helpers.submit(self._pass, other) for other in others]
        try:
            velocity = self._part(**first)[0]
        finally:
            wait(helping)
        return (torch.cat([velocity, *(help.result() for help in helping)]),)

    def _parts(self, inputs: Mapping[str, Tensor]) -> int:
        """Among how many threads the rows are divided; 0: all share every product."""
        rows, tokens = inputs["hidden_states"].shape[:2]
        work = self._work * rows * (tokens + inputs["encoder_hidden_states"].shape[1])
        if work > self._most:
            return 0
        worth = int(work / self._least)
        return max(1, min(rows, self._threads, worth))

    def _pass(self, inputs: Mapping[str, Any]) -> Tensor:
        with torch.inference_mode():
            velocity: Tensor = self._part(**inputs)[0]
            return velocity


def _divided(inputs: Mapping[str, Any], parts: int) -> Iterator[Mapping[str, Any]]:
    """Parts that differ by one row at most."""
    rows = len(inputs["hidden_states"])
    for part in range(parts):
        own = slice(rows * part // parts, rows * (part + 1) // parts)
        tensors = {name: inputs[name][own] for name in _ROWS if inputs.get(name) is not None}
        yield {**inputs, **tensors}
