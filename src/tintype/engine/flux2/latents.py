"""Latents: the noise a picture starts from, its tokens, and the way back to what the VAE decodes.

Plain functions of tensors. A token is one position of the patchified latent grid: 2 × 2 latent pixels.
"""

import torch
from torch import Tensor

from tintype.engine.flux2.canvas import Canvas


def noise(seed: int, canvas: Canvas, channels: int) -> Tensor:
    """(tokens, channels), float32, on the CPU: what the stock pipeline draws from the same generator.

    One generator per job, so that a picture never depends on its neighbours.
    """
    generator = torch.Generator("cpu").manual_seed(seed)
    grid = torch.randn((1, channels, canvas.rows, canvas.columns), generator=generator)
    return grid.reshape(channels, canvas.tokens).T.contiguous()


def token_grid(tokens: Tensor, canvas: Canvas) -> Tensor:
    """(tokens, channels) → (1, channels, rows, columns)."""
    return tokens.T.reshape(1, -1, canvas.rows, canvas.columns)


def patchify(latents: Tensor) -> Tensor:
    """(batch, channels, 2 · rows, 2 · columns) → (batch, 4 · channels, rows, columns)."""
    batch, channels, height, width = latents.shape
    patches = latents.reshape(batch, channels, height // 2, 2, width // 2, 2)
    return patches.permute(0, 1, 3, 5, 2, 4).reshape(batch, 4 * channels, height // 2, width // 2)


def unpatchify(grid: Tensor) -> Tensor:
    """(batch, 4 · channels, rows, columns) → (batch, channels, 2 · rows, 2 · columns)."""
    batch, channels, rows, columns = grid.shape
    patches = grid.reshape(batch, channels // 4, 2, 2, rows, columns)
    return patches.permute(0, 1, 4, 2, 5, 3).reshape(batch, channels // 4, 2 * rows, 2 * columns)
