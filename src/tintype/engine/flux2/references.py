"""Reference pictures in, tokens out: as the stock FLUX.2 pipelines encode them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from tintype.engine.engine import reading
from tintype.engine.flux2.canvas import Canvas, Canvases, resampled
from tintype.engine.flux2.latents import patchify
from tintype.engine.flux2.remembered import Remembered
from tintype.engine.images.reading import UnusablePicture, read_picture

if TYPE_CHECKING:
    from PIL.Image import Image

LARGEST_AREA = 1024 * 1024
CACHE_BYTES = 256 * 2**20


@dataclass(frozen=True)
class Reference:
    """A reference picture as the transformer sees it."""

    grid: Canvas
    tokens: Tensor
    """(tokens, channels), float32, on the CPU."""

    @property
    def nbytes(self) -> int:
        return self.tokens.nbytes


class ReferenceEncoder:
    """The encoding half of an `AutoencoderKLFlux2`. Encodes one picture at a time, so that its tokens
    never depend on its neighbours. For one thread at a time."""

    def __init__(self, vae: Any, canvases: Canvases, *, cache_bytes: int = CACHE_BYTES) -> None:
        self._vae = vae
        self._canvases = canvases
        variance = vae.bn.running_var.float() + vae.config.batch_norm_eps
        self._scale = variance.sqrt().view(1, -1, 1, 1)
        self._shift = vae.bn.running_mean.float().view(1, -1, 1, 1)
        self._remembered = Remembered[Reference](cache_bytes)

    def encode(self, files: Sequence[bytes], digests: Sequence[str]) -> list[Reference]:
        """The pictures in their order; remembered by their digests.

        Raises `BadJob`, saying which of them cannot be used and why.
        """
        references = []
        for number, (file, digest) in enumerate(zip(files, digests, strict=True), start=1):
            with reading(number):
                references.append(self._remembered.get(digest, partial(self._encode, file)))
        return references

    def forget(self) -> None:
        """What could be computed again."""
        self._remembered.forget()

    @torch.inference_mode()
    def _encode(self, file: bytes) -> Reference:
        picture = prepared(read_picture(file), self._canvases)
        pixels = torch.from_numpy(np.array(picture)).to(self._vae.device)
        pixels = (pixels.permute(2, 0, 1)[None].float() / 255) * 2 - 1
        pixels = pixels.to(self._vae.dtype).contiguous(memory_format=torch.channels_last)
        latents = self._vae.encode(pixels, return_dict=False)[0].mode().float()
        grid = (patchify(latents) - self._shift) / self._scale
        rows, columns = grid.shape[-2:]
        tokens = grid[0].flatten(1).T.contiguous().cpu()
        return Reference(grid=Canvas(rows=rows, columns=columns), tokens=tokens)


def prepared(picture: "Image", canvases: Canvases) -> "Image":
    """The picture as it is encoded.

    FLUX.2 takes any shape: the picture within `LARGEST_AREA` (Lanczos), its middle cropped to whole tokens. A
    checkpoint with native canvases knows references on the first of them alone: the picture is resampled to
    fit into that one, and its background continued. Raises `UnusablePicture` if no whole token is left.
    """
    from PIL.Image import Resampling, fromarray

    if canvases.native:
        return fromarray(resampled(np.asarray(picture), *canvases.native[0]))
    width, height = picture.size
    if width * height > LARGEST_AREA:
        scale = math.sqrt(LARGEST_AREA / (width * height))
        width, height = int(width * scale), int(height * scale)
        picture = picture.resize((width, height), Resampling.LANCZOS)
    token = canvases.token
    columns, rows = width // token, height // token
    if not columns or not rows:
        raise UnusablePicture(f"is {width} × {height} pixels, less than a token of {token} × {token}")
    left, top = (width - columns * token) // 2, (height - rows * token) // 2
    return picture.crop((left, top, left + columns * token, top + rows * token))
