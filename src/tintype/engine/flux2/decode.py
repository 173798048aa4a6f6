"""Final latents in, pixels out."""

from typing import Any

import torch
from torch import Tensor

from tintype.engine.flux2.canvas import Canvas
from tintype.engine.flux2.latents import token_grid, unpatchify
from tintype.engine.images.encode import Pixels


class Decoder:
    """The decoding half of an `AutoencoderKLFlux2`."""

    def __init__(self, vae: Any) -> None:
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
        latents = unpatchify(token_grid(tokens, canvas) * self._scale + self._shift)
        latents = latents.to(self._dtype).contiguous(memory_format=torch.channels_last)
        picture = self._vae.decode(latents, return_dict=False)[0][0].float()
        levels = (picture / 2 + 0.5).clamp(0, 1).mul(255).round().to(torch.uint8)
        pixels: Pixels = levels.permute(1, 2, 0).contiguous().cpu().numpy()
        return pixels
