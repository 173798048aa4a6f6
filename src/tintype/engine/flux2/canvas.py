"""Canvases: the token grid a picture is drawn on, and how it becomes exactly the size asked for.

A checkpoint that was trained for any size draws on the smallest canvas of whole tokens that covers the
request, and the picture is cropped. A checkpoint that names its native canvases draws on the one of the
nearest shape, and the picture is resampled to fit; what is left of the request continues its background.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from tintype.engine.images.encode import Pixels
from tintype.engine.images.preview import preview_size


@dataclass(frozen=True)
class Canvas:
    """A grid of image tokens."""

    rows: int
    columns: int

    @property
    def tokens(self) -> int:
        return self.rows * self.columns


@dataclass(frozen=True)
class Canvases:
    """What a checkpoint can draw on."""

    token: int
    """Pixels of canvas per side of a token."""
    native: Sequence[tuple[int, int]] = ()
    """Width and height, in pixels, of the only canvases drawn on; empty if any will do."""

    def choose(self, width: int, height: int) -> Canvas:
        """The canvas for a picture of that many pixels."""
        if self.native:
            width, height = min(self.native, key=lambda size: _distance(size, (width, height)))
        return Canvas(rows=-(-height // self.token), columns=-(-width // self.token))

    def fit(self, picture: Pixels, width: int, height: int) -> Pixels:
        """What was drawn on the chosen canvas, as a picture of exactly that size."""
        return resampled(picture, width, height) if self.native else cropped(picture, width, height)

    def preview(self, picture: Pixels, width: int, height: int) -> Image.Image:
        """As `fit`, but of what was drawn on the canvas at any scale, and no larger than a preview."""
        size = preview_size(width, height)
        if self.native:
            return Image.fromarray(resampled(picture, *size))
        canvas = self.choose(width, height)
        scale_down = picture.shape[0] / (canvas.rows * self.token)
        scale_across = picture.shape[1] / (canvas.columns * self.token)
        inner_height, inner_width = height * scale_down, width * scale_across
        top, left = (picture.shape[0] - inner_height) / 2, (picture.shape[1] - inner_width) / 2
        box = (left, top, left + inner_width, top + inner_height)
        return Image.fromarray(picture).resize(size, Image.Resampling.BILINEAR, box=box)


def _distance(size: tuple[int, int], wanted: tuple[int, int]) -> tuple[float, float]:
    """How far a canvas is from a request: first by shape, then by area."""
    shape = abs(math.log(size[0] / size[1]) - math.log(wanted[0] / wanted[1]))
    area = abs(math.log(size[0] * size[1]) - math.log(wanted[0] * wanted[1]))
    return round(shape, 6), area


def cropped(picture: Pixels, width: int, height: int) -> Pixels:
    """The middle of the picture."""
    top = (picture.shape[0] - height) // 2
    left = (picture.shape[1] - width) // 2
    return np.ascontiguousarray(picture[top : top + height, left : left + width])


def resampled(picture: Pixels, width: int, height: int) -> Pixels:
    """The whole picture, as large as fits (Lanczos), in the middle of its continued background."""
    scale = min(width / picture.shape[1], height / picture.shape[0])
    inner_width = max(1, min(width, round(picture.shape[1] * scale)))
    inner_height = max(1, min(height, round(picture.shape[0] * scale)))
    if (inner_height, inner_width) != picture.shape[:2]:
        resized = Image.fromarray(picture).resize((inner_width, inner_height), Image.Resampling.LANCZOS)
        picture = np.asarray(resized)
    picture = _extended(picture, width)
    return _extended(picture.transpose(1, 0, 2), height).transpose(1, 0, 2).copy()


def _extended(picture: Pixels, width: int) -> Pixels:
    """The picture with both sides continued to the width, each in the colour of its own border.

    The colour is the border's median. The outermost pixels fade into it, so that a background which is
    not quite plain shows no seam, and nothing that touches the border is drawn out into a streak.
    """
    height, inner, _ = picture.shape
    if inner == width:
        return picture
    left = (width - inner) // 2
    depth = max(1, inner // 32)
    fade = np.linspace(0, 1, depth + 2)[1:-1].reshape(1, depth, 1)
    first, last = _colour(picture[:, :depth]), _colour(picture[:, -depth:])
    extended = np.empty((height, width, 3), np.uint8)
    extended[:, :left] = first
    extended[:, left : left + inner] = picture
    extended[:, left + inner :] = last
    start, end = extended[:, left : left + depth], extended[:, left + inner - depth : left + inner]
    start[:] = np.rint(start * fade + first * (1 - fade))
    end[:] = np.rint(end * fade[:, ::-1] + last * (1 - fade[:, ::-1]))
    return extended


def _colour(border: Pixels) -> Pixels:
    """(3,): the median of each channel."""
    colour: Pixels = np.median(border.reshape(-1, 3), axis=0).astype(np.uint8)
    return colour
