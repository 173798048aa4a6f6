"""A transformer's forward pass without Python: written down once as a TorchScript graph, then run by PyTorch.

A small pass is some 400 calls of a few microseconds each. Between any two of them Python holds its lock, and
threads that draw side by side wait for each other's. A graph is run without it, from the first product to
the last.
"""

import threading
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

_APART = 1e-4
"""Relative difference, in the Euclidean norm, between a traced pass and the same one as it is."""
_one_at_a_time = threading.Lock()
"""Models are loaded beside each other, and the tracer has globals."""


class Traced:
    """Stands in for the `forward` of a `Flux2Transformer2DModel`, for any numbers of rows and tokens.

    For any thread. It keeps the layers that it was made of, whatever takes their place for a LoRA.
    """

    def __init__(self, transformer: Any, inputs: Mapping[str, Any]) -> None:
        """`inputs` are those of a pass of several rows. Raises what the tracer raises."""
        self._embed = transformer.pos_embed
        given = self._given(inputs)
        with _one_at_a_time, torch.inference_mode(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it is deprecated, in favour of what needs a compiler
            transformer.pos_embed = _Given()
            try:
                trace: Callable[..., Any] = torch.jit.trace
                self._graph = trace(_Pass(transformer), example_kwarg_inputs=given, check_trace=False)
            finally:
                transformer.pos_embed = self._embed

    def __call__(self, **inputs: Any) -> tuple[Tensor]:
        """As the transformer with `return_dict=False`."""
        return (self._graph(**self._given(inputs)),)

    def _given(self, inputs: Mapping[str, Any]) -> dict[str, Tensor]:
        """Positions are embedded before, since they are remembered by what they are."""
        rows = ("hidden_states", "timestep", "guidance", "encoder_hidden_states")
        given = {name: inputs[name] for name in rows if inputs.get(name) is not None}
        return {**given, **{name: torch.cat(self._embed(inputs[name])) for name in ("txt_ids", "img_ids")}}

    def prove(self, forward: Any, inputs: Mapping[str, Any]) -> None:
        """Raises `ValueError` if a pass is not what `forward` makes of it."""
        traced, wanted = self(**inputs)[0].float(), forward(**inputs)[0].float()
        apart = float((traced - wanted).norm() / wanted.norm())
        if not apart <= _APART:
            raise ValueError(f"a traced forward pass is {apart:.1e} from the same one as it is")


class _Pass(nn.Module):
    def __init__(self, transformer: Any) -> None:
        super().__init__()
        self.transformer = transformer

    def forward(
        self,
        hidden_states: Tensor,
        timestep: Tensor,
        encoder_hidden_states: Tensor,
        txt_ids: Tensor,
        img_ids: Tensor,
        guidance: Tensor | None = None,
    ) -> Tensor:
        velocity: Tensor = self.transformer(
            hidden_states=hidden_states,
            timestep=timestep,
            guidance=guidance,
            encoder_hidden_states=encoder_hidden_states,
            txt_ids=txt_ids,
            img_ids=img_ids,
            return_dict=False,
        )[0]
        return velocity


class _Given(nn.Module):
    """Stands in for `pos_embed`, of positions that are embedded already."""

    def forward(self, rotary: Tensor) -> tuple[Tensor, ...]:
        """(2 · tokens, head dimensions) → cosines and sines."""
        return rotary.chunk(2)
