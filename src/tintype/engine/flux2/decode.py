"""Final latents in, pixels out."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from tintype.engine.engine import NO_NUMBERS, BadJob
from tintype.engine.flux2.canvas import Canvas
from tintype.engine.flux2.latents import token_grid, unpatchify
from tintype.engine.images.encode import Pixels

AVERAGED_TOKEN = 32
"""Pixels per side of a token up to which latents can stand for their neighbours; 16 in FLUX.2."""


class Decoder:
    """The decoding half of an `AutoencoderKLFlux2`."""

    def __init__(self, vae: Any, *, token: int) -> None:
        """`token` is pixels per side of a token."""
        self._token = token
        self._vae = vae.to(memory_format=torch.channels_last)
        self._dtype = vae.dtype
        variance = vae.bn.running_var.float() + vae.config.batch_norm_eps
        self._scale = variance.sqrt().view(1, -1, 1, 1)
        self._shift = vae.bn.running_mean.float().view(1, -1, 1, 1)

    @torch.inference_mode()
    def decode(self, tokens: Tensor, canvas: Canvas) -> Pixels:
        """(tokens, channels) float32 → (height, width, 3) of the whole canvas.

        Rounds to the nearest of 256 levels, as the stock pipeline does. Raises `BadJob` if there are none.
        """
        picture = self._picture(self._latents(tokens, canvas))
        if not torch.isfinite(picture).all():  # they would become black
            raise BadJob(NO_NUMBERS)
        return self._levels(picture)

    @torch.inference_mode()
    def preview(self, tokens: Tensor, canvas: Canvas, longest: int) -> Pixels:
        """(tokens, channels) float32 → (height, width, 3) of the whole canvas, with no side over `longest`.

        A large canvas is decoded from averaged latents: of 1024 × 1024 to 256 × 256 pixels that is a
        sixteenth of the work. Where a token holds more pixels than in FLUX.2, neighbours have too little in
        common for that; then the pixels are averaged.
        """
        latents = self._latents(tokens.nan_to_num(), canvas)
        if self._token <= AVERAGED_TOKEN:
            return self._levels(self._picture(_within(latents, longest * 2 // self._token)))
        return self._levels(_within(self._picture(latents), longest))

    def _latents(self, tokens: Tensor, canvas: Canvas) -> Tensor:
        """(1, channels, rows, columns), as the VAE encodes them."""
        return unpatchify(token_grid(tokens, canvas) * self._scale + self._shift)

    def _picture(self, latents: Tensor) -> Tensor:
        """(1, 3, height, width) float32, −1 … 1 and a little beyond."""
        latents = latents.to(self._dtype).contiguous(memory_format=torch.channels_last)
        picture: Tensor = self._vae.decode(latents, return_dict=False)[0].float()
        return picture

    def _levels(self, picture: Tensor) -> Pixels:
        levels = (picture[0] / 2).add_(0.5).clamp_(0, 1).mul_(255).round_().to(torch.uint8)
        pixels: Pixels = levels.permute(1, 2, 0).contiguous().cpu().numpy()
        return pixels


def _within(grid: Tensor, most: int) -> Tensor:
    """(1, channels, rows, columns) → the same shape with no side over `most`, averaged."""
    rows, columns = grid.shape[-2:]
    if max(rows, columns) <= most:
        return grid
    scale = most / max(rows, columns)
    size = (max(1, round(rows * scale)), max(1, round(columns * scale)))
    return functional.interpolate(grid, size=size, mode="area")
