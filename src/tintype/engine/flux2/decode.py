"""Final latents in, pixels out."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from tintype.engine.flux2.canvas import Canvas
from tintype.engine.flux2.latents import token_grid, unpatchify
from tintype.engine.images.encode import Pixels


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

        Rounds to the nearest of 256 levels, as the stock pipeline does.
        """
        return self._pixels(self._latents(tokens, canvas))

    @torch.inference_mode()
    def preview(self, tokens: Tensor, canvas: Canvas, longest: int) -> Pixels:
        """(tokens, channels) float32 → (height, width, 3) of the whole canvas, with no side over `longest`.

        A large canvas is decoded from averaged latents: of 1024 × 1024 to 256 × 256 pixels that is a
        sixteenth of the work.
        """
        latents = self._latents(tokens.nan_to_num(), canvas)
        height, width = latents.shape[-2:]
        most = longest * 2 // self._token  # a token is two latents wide
        if max(height, width) > most:
            scale = most / max(height, width)
            size = (max(1, round(height * scale)), max(1, round(width * scale)))
            latents = functional.interpolate(latents, size=size, mode="area")
        return self._pixels(latents)

    def _latents(self, tokens: Tensor, canvas: Canvas) -> Tensor:
        """(1, channels, rows, columns), as the VAE encodes them."""
        return unpatchify(token_grid(tokens, canvas) * self._scale + self._shift)

    def _pixels(self, latents: Tensor) -> Pixels:
        latents = latents.to(self._dtype).contiguous(memory_format=torch.channels_last)
        picture = self._vae.decode(latents, return_dict=False)[0][0].float()
        levels = (picture / 2 + 0.5).clamp(0, 1).mul(255).round().to(torch.uint8)
        pixels: Pixels = levels.permute(1, 2, 0).contiguous().cpu().numpy()
        return pixels
