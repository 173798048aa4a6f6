"""A transformer's blocks for CPUs: fewer calls, and fewer trips to memory.

What diffusers' blocks do between their products is written for devices on which a compiler joins it. As it
is written it takes half of the time of a small model on a CPU: a call costs some microseconds in which no
other thread can make one, and every result is written to memory and read again.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

Rotary = tuple[Tensor, Tensor]
"""Cosines and sines, (tokens, head dimensions) each, every one of them twice in a row."""


class SingleBlock(nn.Module):
    """As diffusers' `Flux2SingleTransformerBlock`, but for rounding; for inference alone."""

    def __init__(self, block: Any) -> None:
        super().__init__()
        self.norm, self.attn = block.norm, block.attn
        self._norm = _Norm(block.attn.norm_q, block.attn.norm_k)

    def forward(
        self,
        hidden_states: Tensor,
        encoder_hidden_states: None,
        temb_mod: Tensor,
        image_rotary_emb: Rotary,
        joint_attention_kwargs: None = None,
    ) -> Tensor:
        """(B, tokens, width), text before image → the same shape."""
        attn = self.attn
        ((shift, scale, gate),) = _modulations(temb_mod, parts=1)
        projected = attn.to_qkv_mlp_proj(_modulated(self.norm(hidden_states), shift, scale))
        queries_keys_values = projected[..., : 3 * attn.inner_dim].unflatten(-1, (3, attn.heads, -1))
        queries_keys, values = queries_keys_values[:, :, :2], queries_keys_values[:, :, 2]
        attended = _attend(self._norm(queries_keys), values, image_rotary_emb)
        outputs = attended.new_empty(*attended.shape[:2], attn.inner_dim + attn.mlp_hidden_dim)
        outputs[..., : attn.inner_dim] = attended
        _gated(projected[..., 3 * attn.inner_dim :], out=outputs[..., attn.inner_dim :])
        added: Tensor = attn.to_out(outputs)
        return torch.addcmul(hidden_states, added, gate)


class DoubleBlock(nn.Module):
    """As diffusers' `Flux2TransformerBlock`, but for rounding; for inference alone."""

    def __init__(self, block: Any) -> None:
        super().__init__()
        self.norm1, self.norm1_context, self.attn = block.norm1, block.norm1_context, block.attn
        self.norm2, self.ff = block.norm2, block.ff
        self.norm2_context, self.ff_context = block.norm2_context, block.ff_context
        self._norm = _Norm(block.attn.norm_q, block.attn.norm_k)
        self._norm_context = _Norm(block.attn.norm_added_q, block.attn.norm_added_k)

    def forward(
        self,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor,
        temb_mod_img: Tensor,
        temb_mod_txt: Tensor,
        image_rotary_emb: Rotary,
        joint_attention_kwargs: None = None,
    ) -> tuple[Tensor, Tensor]:
        """(B, image tokens, width) and (B, text tokens, width) → text and image, in the same shapes."""
        attn, image, text = self.attn, hidden_states, encoder_hidden_states
        (shift, scale, gate), image_feeds = _modulations(temb_mod_img, parts=2)
        (text_shift, text_scale, text_gate), text_feeds = _modulations(temb_mod_txt, parts=2)
        of_text = _modulated(self.norm1_context(text), text_shift, text_scale)
        of_text = _projected(of_text, attn.add_q_proj, attn.add_k_proj, attn.add_v_proj, heads=attn.heads)
        of_image = _modulated(self.norm1(image), shift, scale)
        of_image = _projected(of_image, attn.to_q, attn.to_k, attn.to_v, heads=attn.heads)
        queries_keys = torch.cat(
            [self._norm_context(of_text[:, :, :2]), self._norm(of_image[:, :, :2])], dim=1
        )
        values = torch.cat([of_text[:, :, 2], of_image[:, :, 2]], dim=1)
        attended = _attend(queries_keys, values, image_rotary_emb)
        to_text, to_image = attended[:, : text.shape[1]], attended[:, text.shape[1] :]
        image = torch.addcmul(image, attn.to_out[0](to_image), gate)
        text = torch.addcmul(text, attn.to_add_out(to_text), text_gate)
        return (
            _fed(text, self.norm2_context, self.ff_context, *text_feeds),
            _fed(image, self.norm2, self.ff, *image_feeds),
        )


class _Norm:
    """Root mean square norms of queries and keys, which have weights of their own."""

    def __init__(self, *norms: Any) -> None:
        self._weights = torch.stack([norm.weight for norm in norms]).unsqueeze(1)
        (self._eps,) = {norm.eps for norm in norms}

    def __call__(self, queries_keys: Tensor) -> Tensor:
        """(B, tokens, 2, heads, dimensions) → the same shape, in float32."""
        squares = torch.linalg.vector_norm(queries_keys, dim=-1, keepdim=True, dtype=torch.float32).square_()
        inverse = squares.div_(queries_keys.shape[-1]).add_(self._eps).rsqrt_()
        normed: Tensor = (queries_keys.float() * inverse).mul_(self._weights)
        return normed


def lighten_blocks(transformer: Any) -> None:
    """Replace the blocks of a transformer on a CPU; their layers keep their names."""
    for blocks, light in (
        (transformer.transformer_blocks, DoubleBlock),
        (transformer.single_transformer_blocks, SingleBlock),
    ):
        for number, block in enumerate(blocks):
            blocks[number] = light(block)


def _modulations(of_time: Tensor, parts: int) -> list[tuple[Tensor, ...]]:
    """Shift, scale and gate of each part of a block: (B, 3 · parts · width) → (B, 1, width) each."""
    changes = of_time.unsqueeze(1).chunk(3 * parts, dim=-1)
    return [changes[start : start + 3] for start in range(0, len(changes), 3)]


def _modulated(normed: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    return torch.addcmul(shift, normed, scale + 1)


def _fed(hidden: Tensor, norm: Any, feed: Any, shift: Tensor, scale: Tensor, gate: Tensor) -> Tensor:
    """(B, tokens, width) → the same shape: what the feed-forward layers add."""
    widened = feed.linear_in(_modulated(norm(hidden), shift, scale))
    return torch.addcmul(hidden, feed.linear_out(_gated(widened)), gate)


def _gated(widened: Tensor, out: Tensor | None = None) -> Tensor:
    """(…, 2 · width) → (…, width). SwiGLU, https://arxiv.org/abs/2002.05202; changes what it is given."""
    gates, values = widened.chunk(2, dim=-1)
    return torch.mul(functional.silu(gates, inplace=True), values, out=out)


def _projected(inputs: Tensor, *layers: Any, heads: int) -> Tensor:
    """(B, tokens, width) → (B, tokens, layers, heads, dimensions)."""
    projected = torch.stack([layer(inputs) for layer in layers], dim=2)
    return projected.view(*projected.shape[:-1], heads, -1)


def _attend(queries_keys: Tensor, values: Tensor, rotary: Rotary) -> Tensor:
    """(B, tokens, 2, heads, dimensions) and (B, tokens, heads, dimensions) → (B, tokens, width).

    Queries and keys, in float32, are turned by their positions, in place: neighbouring dimensions are a
    complex number (https://arxiv.org/abs/2104.09864).
    """
    cosines, sines = (part[:, None, None, ::2] for part in rotary)
    pairs = queries_keys.view(*queries_keys.shape[:-1], -1, 2)
    torch.view_as_complex(pairs).mul_(torch.complex(cosines, sines))
    queries, keys = queries_keys.to(values.dtype).unbind(2)
    attended = functional.scaled_dot_product_attention(
        queries.transpose(1, 2), keys.transpose(1, 2), values.transpose(1, 2)
    )
    return attended.transpose(1, 2).flatten(2)
