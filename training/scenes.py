"""Scenes: recipes of one to three things on a canvas, which can be painted at any size."""

import json
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from PIL import Image

from training.packages import WORK

TOKEN = 16  #: pixels along a token at the smallest size a scene is painted, which the latents are made from
SQUARE, WIDE, TALL, LANDSCAPE, PORTRAIT = (4, 4), (8, 4), (4, 8), (6, 4), (4, 6)
CANVASES = (SQUARE, LANDSCAPE, PORTRAIT, WIDE, TALL)  #: columns and rows of tokens
Source = Literal["plain", "recoloured", "styled"]


@dataclass(frozen=True)
class Sprite:
    """One picture, painted into a square of a scene."""

    source: Source
    index: int
    left: int  #: in pixels of the smallest size, as top and side
    top: int
    side: int


@dataclass(frozen=True)
class Scene:
    """A canvas with things on it."""

    kind: str  #: what share of the training it belongs to
    canvas: tuple[int, int]
    sprites: tuple[Sprite, ...]
    forms: dict[str, float]  #: what may be said of it, with weights
    background: tuple[int, int, int] = (255, 255, 255)
    colour: str = "white"  #: the name of the background
    concept: int = -1  #: of its only thing; −1 for several

    @property
    def caption(self) -> str:
        """What is said of it most."""
        return max(self.forms, key=self.forms.__getitem__)


class Sources:
    """The rasterised pictures behind sprites, (512, 512, 4) uint8 each."""

    def __init__(self) -> None:
        names = {"plain": "pictures.npy", "recoloured": "recolours.npy", "styled": "styles.npy"}
        self.arrays = {source: np.load(WORK / name, mmap_mode="r") for source, name in names.items()}

    def __call__(self, source: Source, index: int, side: int) -> np.ndarray:
        """The picture at `side` pixels, area-averaged with its alpha, (side, side, 4) uint8 premultiplied."""
        picture = Image.fromarray(np.asarray(self.arrays[source][index]), "RGBA").convert("RGBa")
        return np.asarray(picture.resize((side, side), Image.Resampling.BOX))


def painted(scene: Scene, sources: Sources, scale: int = 1) -> np.ndarray:
    """The scene at `scale` times its smallest size, (rows · 16 · scale, columns · 16 · scale, 3) uint8."""
    columns, rows = scene.canvas
    out = np.empty((rows * TOKEN * scale, columns * TOKEN * scale, 3), np.uint8)
    out[:] = scene.background
    for sprite in scene.sprites:
        side = sprite.side * scale
        top, left = sprite.top * scale, sprite.left * scale
        area = slice(top, top + side), slice(left, left + side)
        picture = sources(sprite.source, sprite.index, side)
        behind = out[area].astype(np.uint16) * (255 - picture[..., 3:].astype(np.uint16))
        out[area] = picture[..., :3] + ((behind + 127) // 255).astype(np.uint8)
    return out


def load() -> tuple[list[Scene], dict[str, Any]]:
    """The scenes, and the whole document: captions, edits, held-out names."""
    content = json.loads((WORK / "scenes.json").read_text())
    found = []
    for entry in content["scenes"]:
        entry["sprites"] = tuple(Sprite(**sprite) for sprite in entry["sprites"])
        entry["canvas"], entry["background"] = tuple(entry["canvas"]), tuple(entry["background"])
        found.append(Scene(**entry))
    return found, content
