"""How many bytes of the device a job takes: reckoned from its shapes before anything is allocated."""

from dataclasses import dataclass
from typing import Any

from tintype.engine.flux2.admission import Need
from tintype.engine.flux2.layout import Layout

_FLOAT = 4
_WIDTHS_IN_A_STEP = 24
"""How many times a token of transformer width is in memory at the deepest point of a forward pass: the
residual stream, norms, queries, keys and values with their rotated copies, and the widened feed-forward."""
_COPIES_IN_DECODING = 5
"""How many pictures of the decoder's last widened channels are in memory at its deepest point."""


@dataclass(frozen=True)
class Needs:
    """What of a checkpoint's shapes decides about memory."""

    channels: int
    """Of a token of latents."""
    prompt_bytes: int
    """An embedding."""
    prompt_tokens: int
    item: int
    """Bytes of a number of the transformer."""
    token_bytes: int
    """Of a token while it is in a forward pass."""
    pixel_bytes: int
    """Of a pixel while the picture is decoded."""
    pixels: int
    """In an image token."""

    def of(self, layout: Layout, *, rows: int) -> Need:
        """Of a job that takes so many rows of a forward pass."""
        references = layout.tokens - layout.drawn.tokens
        return Need(
            held=2 * layout.drawn.tokens * self.channels * _FLOAT
            + references * self.channels * (_FLOAT + rows * self.item)
            + (1 + rows) * self.prompt_bytes,
            step=self.step(rows * (layout.tokens + self.prompt_tokens)),
            decode=layout.drawn.tokens * self.pixels * self.pixel_bytes,
        )

    def step(self, tokens: int) -> int:
        """Bytes while so many tokens are in a forward pass."""
        return tokens * self.token_bytes


def needs_of(transformer: Any, vae: Any, empty: Any, *, token: int) -> Needs:
    """Of a transformer, its VAE and the embedding of the empty prompt; `token` is pixels a side."""
    config = transformer.config
    width = config.num_attention_heads * config.attention_head_dim
    widening = max(1.0, config.mlp_ratio / 3)
    widths = getattr(vae.config, "decoder_block_out_channels", None) or vae.config.block_out_channels
    widest = max(widths[:2])
    item = empty.element_size()
    return Needs(
        channels=config.in_channels,
        prompt_bytes=empty.nbytes,
        prompt_tokens=empty.shape[0],
        item=item,
        token_bytes=round(_WIDTHS_IN_A_STEP * widening * width * item) + config.joint_attention_dim * item,
        pixel_bytes=_COPIES_IN_DECODING * widest * item + 6 * _FLOAT,
        pixels=token * token,
    )
