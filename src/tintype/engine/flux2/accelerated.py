"""A transformer, made faster as wished for and as the machine can: see `tintype.engine.acceleration`.

What is left to the machine (`auto`) is tried when the model is loaded, with small forward passes, and left
out if it fails, which is logged. What is asked for and fails is an error.
"""

from collections.abc import Callable
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn

from tintype.engine.acceleration import Acceleration, Use
from tintype.engine.flux2.blocks import lighten_blocks
from tintype.engine.flux2.canvas import Canvas
from tintype.engine.flux2.cuda_graphs import CudaGraphs
from tintype.engine.flux2.divided import MOST_WORK as MOST_DIVIDED
from tintype.engine.flux2.divided import Divided
from tintype.engine.flux2.entrances import take_float32
from tintype.engine.flux2.float8 import use_float8
from tintype.engine.flux2.layout import Layout, image_positions, text_positions
from tintype.engine.flux2.positions import remember_positions
from tintype.engine.flux2.quantising import is_quantised
from tintype.engine.flux2.recordings import MOST_WORK, Recordings
from tintype.engine.flux2.traced import Traced
from tintype.engine.log import log

_FLOAT8_CAPABILITY = (8, 9)
_TRIED_SHAPES = ((1, 8, 8), (2, 8, 8), (3, 8, 12))
"""Rows, and token grids: after these, compiled code meets no kind of shape that it has not met. One row is
a kind of its own."""
_TRACED_SHAPES = ((3, 2, 4), (1, 4, 4))
"""Rows, and token grids: what is traced, and what it must hold for, too."""
FUSED = {"to_qkv": ("to_q", "to_k", "to_v"), "to_added_qkv": ("add_q_proj", "add_k_proj", "add_v_proj")}
"""Layers of an attention with fused projections, and the layers that they stand for."""
OF_THE_BASE = frozenset({"compile", "graphs"})
"""Uses that a LoRA on the transformer has no part in: it is drawn plainly."""
_GRAPHS_KEPT = 64
"""Compiled kinds of block and shape, of all models on the device; dynamo gives up beyond."""


class Accelerated:
    """What computes velocities, and what it uses beyond what is plain."""

    def __init__(
        self,
        transformer: Any,
        wishes: Acceleration,
        *,
        device: torch.device,
        dtype: torch.dtype,
        threads: int = 1,
    ) -> None:
        """Changes the transformer in place, for so many threads of a CPU. Raises `ValueError` with what
        cannot be had, and why."""
        self._transformer = transformer
        self._wishes = wishes
        self._device, self._dtype = device, dtype
        self.uses: list[str] = []
        self.recordings: Recordings | None = None
        remember_positions(transformer)
        take_float32(transformer, dtype)
        tokens = int(MOST_WORK / (2 * sum(parameter.numel() for parameter in transformer.parameters())))
        if wishes.attention != "auto":
            self._demand("attention", wishes.attention, self._set_attention)
        if wishes.fused is Use.ON:
            self._demand("fused", Use.ON, self._fuse)
        if wishes.fp8 is Use.ON:
            self._demand("fp8", Use.ON, self._use_float8)
        if device.type == "cpu":
            whole = wishes.compile is Use.ON or is_quantised(transformer)
            if not (whole or self.uses):
                lighten_blocks(transformer)
            self._divide(threads, whole=whole)
        self._use("compile", wishes.compile, self._compile, self._do_not_compile)
        self._use("graphs", wishes.graphs, lambda: self._record(tokens), lambda: None)

    @property
    def forward(self) -> Callable[..., tuple[Tensor]]:
        return self.recordings or self._transformer

    def _use(self, part: str, wish: Use, do: Callable[[], None], undo: Callable[[], None]) -> None:
        if wish is Use.ON:
            self._demand(part, wish, do)
        elif wish is Use.AUTO and self._device.type == "cuda":
            try:
                self._demand(part, wish, do)
            except ValueError as problem:
                undo()
                log("acceleration left out", part=part, problem=str(problem))

    def _demand(self, part: str, choice: str, do: Callable[[], None]) -> None:
        wish = f"{part}={choice}"
        try:
            do()
        except Exception as error:
            what = " ".join(str(error).split())[:300] or type(error).__name__
            raise ValueError(f"{wish} cannot be had here: {what}") from error
        self.uses.append(part if choice in tuple(Use) else wish)

    def _set_attention(self) -> None:
        from diffusers.models.attention_dispatch import attention_backend

        with attention_backend():  # to set it for one model sets it for all others, too, until this ends
            self._transformer.set_attention_backend(self._wishes.attention)
        self._try()

    def _fuse(self) -> None:
        if not isinstance(self._transformer.proj_out, nn.Linear):
            raise ValueError("the layers are laid out for the CPU already")
        self._transformer.fuse_qkv_projections()
        for block in self._transformer.transformer_blocks:
            for name in chain.from_iterable(FUSED.values()):
                delattr(block.attn, name)
        self._try()

    def _use_float8(self) -> None:
        if self._device.type != "cuda" or torch.cuda.get_device_capability(self._device) < _FLOAT8_CAPABILITY:
            raise ValueError("it needs a CUDA device of compute capability 8.9 or newer")
        blocks = (*self._transformer.transformer_blocks, *self._transformer.single_transformer_blocks)
        if not sum(use_float8(block) for block in blocks):
            raise ValueError("the model has no layers for it; they may be quantised already")
        self._try()

    def _compile(self) -> None:
        self._demand_whole()
        limit = torch._dynamo.config.recompile_limit
        torch._dynamo.config.recompile_limit = max(limit, _GRAPHS_KEPT)
        self._transformer.compile_repeated_blocks(dynamic=True)
        self._try()

    def _do_not_compile(self) -> None:
        for module in self._transformer.modules():
            module._compiled_call_impl = None

    def _divide(self, threads: int, *, whole: bool) -> None:
        """Passes that stay `whole` have all threads, whatever other models left."""
        most = 0 if whole else MOST_DIVIDED
        divided = Divided(self._transformer, threads=threads, most=most)
        traced = self._traced() if divided.divides(self._inputs(*_TRACED_SHAPES[0])) else None
        self._transformer.forward = divided
        if traced is not None:
            # As `nn.Module.compile` does it: a LoRA sets it aside.
            self._transformer._compiled_call_impl = divided.through(traced)

    @torch.inference_mode()
    def _traced(self) -> Traced | None:
        passes = [self._inputs(*shape) for shape in _TRACED_SHAPES]
        try:
            traced = Traced(self._transformer, passes[0])
            for inputs in passes:
                traced.prove(self._transformer, inputs)
        except Exception as error:
            log("forward passes are not traced", error=repr(error))
            return None
        return traced

    def _record(self, most_tokens: int) -> None:
        if self._device.type != "cuda":
            raise ValueError("it needs a CUDA device")
        self._demand_whole()
        recordings = Recordings(self._transformer, CudaGraphs(self._device), most_tokens=most_tokens)
        with torch.inference_mode():
            recordings.prove(**self._inputs(*_TRIED_SHAPES[0]))
        self.recordings = recordings

    def _demand_whole(self) -> None:
        if any(parameter.device != self._device for parameter in self._transformer.parameters()):
            raise ValueError("the model is offloaded, so its weights are not always on the device")

    @torch.inference_mode()
    def _try(self) -> None:
        for shape in _TRIED_SHAPES:
            velocity = self._transformer(**self._inputs(*shape))[0]
            if not torch.isfinite(velocity).all():
                raise ValueError("the model produces values that are not numbers")

    def _inputs(self, rows: int, height: int, width: int) -> dict[str, Any]:
        """As a batch gives them to the transformer, with random contents."""
        config, text = self._transformer.config, 16
        generator = torch.Generator().manual_seed(0)

        def random(*shape: int) -> Tensor:
            return torch.randn(shape, generator=generator).to(self._device, torch.float32)

        layout = Layout(Canvas(height, width))
        return {
            "hidden_states": random(rows, height * width, config.in_channels),
            "timestep": torch.linspace(0.9, 0.1, rows, device=self._device),
            "guidance": torch.full((rows,), 4.0, device=self._device) if config.guidance_embeds else None,
            "encoder_hidden_states": random(rows, text, config.joint_attention_dim).to(self._dtype),
            "txt_ids": text_positions(text).to(self._device),
            "img_ids": image_positions(layout).to(self._device),
            "return_dict": False,
        }
