"""Paint pictures in other colours, so that words of colour mean something: `work/recolours.npy`, `.json`.

Works in OKLCH (Ottosson, 2020). Pixels around the picture's dominant hue take the new hue; their lightness
and chroma keep their pattern and move to the new colour's level, so that shading, outlines, other parts stay.
"""

import json
import tomllib
from dataclasses import dataclass
from multiprocessing import Pool
from pathlib import Path

import numpy as np

from training.packages import WORK

#: Lightness, chroma and hue (degrees) of the colours that have names.
COLOURS: dict[str, tuple[float, float, float]] = {
    "red": (0.58, 0.22, 28),
    "orange": (0.74, 0.18, 58),
    "yellow": (0.87, 0.17, 95),
    "green": (0.64, 0.19, 142),
    "blue": (0.56, 0.19, 257),
    "purple": (0.50, 0.20, 305),
    "pink": (0.76, 0.15, 355),
    "brown": (0.45, 0.08, 50),
    "black": (0.26, 0.0, 0),
    "white": (0.93, 0.0, 0),
    "gray": (0.62, 0.0, 0),
}
TO_LMS = np.array(
    [[0.4122214708, 0.5363325363, 0.0514459929], [0.2119034982, 0.6806995451, 0.1073969566],
     [0.0883024619, 0.2817188376, 0.6299787005]]
)  # fmt: skip
TO_LAB = np.array(
    [[0.2104542553, 0.7936177850, -0.0040720468], [1.9779984951, -2.4285922050, 0.4505937099],
     [0.0259040371, 0.7827717662, -0.8086757660]]
)  # fmt: skip


def oklch(rgb: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """sRGB in 0 … 1, (…, 3), to lightness, chroma and hue in degrees."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    lab = np.cbrt(linear @ TO_LMS.T) @ TO_LAB.T
    chroma = np.hypot(lab[..., 1], lab[..., 2])
    return lab[..., 0], chroma, np.degrees(np.arctan2(lab[..., 2], lab[..., 1])) % 360


def srgb(lightness: np.ndarray, chroma: np.ndarray, hue: np.ndarray) -> np.ndarray:
    """The way back; what lies outside sRGB is clipped."""
    angle = np.radians(hue)
    lab = np.stack([lightness, chroma * np.cos(angle), chroma * np.sin(angle)], -1)
    linear = np.clip((lab @ np.linalg.inv(TO_LAB).T) ** 3 @ np.linalg.inv(TO_LMS).T, 0, 1)
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)


def apart(first: np.ndarray | float, second: np.ndarray | float) -> np.ndarray:
    """Signed difference of two hues, −180 … 180 degrees."""
    return (np.asarray(first) - second + 180) % 360 - 180


@dataclass(frozen=True)
class Paint:
    """What of a picture is painted: a soft mask, and the level its lightness and chroma are measured from."""

    mask: np.ndarray  #: (H, W) in 0 … 1
    lightness: float
    chroma: float
    hue: float
    share: float  #: painted part of the picture's opaque pixels
    purity: float  #: painted part of its coloured pixels

    @property
    def name(self) -> str:
        """The name of the colour that the painted part has now."""
        a, b = self.chroma * np.cos(np.radians(self.hue)), self.chroma * np.sin(np.radians(self.hue))

        def distance(colour: str) -> float:
            lightness, chroma, hue = COLOURS[colour]
            x, y = chroma * np.cos(np.radians(hue)), chroma * np.sin(np.radians(hue))
            return float((lightness - self.lightness) ** 2 * 0.5 + (x - a) ** 2 + (y - b) ** 2)

        return min(COLOURS, key=distance)


def paint(rgba: np.ndarray, *, peak: float | None = None, width: float = 38) -> Paint | None:
    """Find a picture's dominant hue, (H, W, 4) uint8, or take the one given; None where it has no colour."""
    opaque = rgba[..., 3] > 128
    lightness, chroma, hue = oklch(rgba[..., :3] / 255.0)
    coloured = opaque & (chroma > 0.055) & (lightness > 0.15)
    if coloured.sum() < 0.05 * opaque.sum():
        return None
    histogram, _ = np.histogram(hue[coloured], bins=72, range=(0, 360), weights=chroma[coloured])
    smooth = sum(np.roll(histogram, shift) for shift in range(-4, 5))
    peak = 5.0 * int(np.argmax(smooth)) + 2.5 if peak is None else peak
    near = coloured & (np.abs(apart(hue, peak)) < width)
    soft = np.clip((width + 10 - np.abs(apart(hue, peak))) / 10, 0, 1) * np.clip(
        (chroma - 0.02) / 0.035, 0, 1
    )
    return Paint(
        mask=soft * (rgba[..., 3] > 0),
        lightness=float(np.median(lightness[near])),
        chroma=float(np.median(chroma[near])),
        hue=peak,
        share=float(near.sum() / opaque.sum()),
        purity=float(near.sum() / coloured.sum()),
    )


def grey_paint(rgba: np.ndarray) -> Paint | None:
    """The colourless pixels of a picture, for things that are grey or white of themselves."""
    opaque = rgba[..., 3] > 128
    lightness, chroma, _ = oklch(rgba[..., :3] / 255.0)
    plain = opaque & (chroma < 0.06) & (lightness > 0.35)
    if plain.sum() < 0.25 * opaque.sum():
        return None
    soft = np.clip((0.075 - chroma) / 0.02, 0, 1) * np.clip((lightness - 0.3) / 0.1, 0, 1)
    level = float(np.median(lightness[plain]))
    return Paint(soft * (rgba[..., 3] > 0), level, 0.0, 0.0, float(plain.sum() / opaque.sum()), 1.0)


def repaint(rgba: np.ndarray, part: Paint, colour: str) -> np.ndarray:
    """The picture with the painted part in another colour, (H, W, 4) uint8."""
    lightness, chroma, hue = oklch(rgba[..., :3] / 255.0)
    to_lightness, to_chroma, to_hue = COLOURS[colour]
    contrast = {"black": 0.6, "white": 0.55}.get(colour, 0.85)
    new_lightness = np.clip(to_lightness + contrast * (lightness - part.lightness), 0.02, 0.985)
    if part.chroma:
        new_chroma = to_chroma * np.clip(chroma / part.chroma, 0, 1.4)
        new_hue = to_hue + 0.35 * apart(hue, part.hue)
    else:
        new_chroma, new_hue = np.full_like(chroma, to_chroma), np.full_like(hue, to_hue)
    painted = srgb(new_lightness, new_chroma, new_hue)
    mask = part.mask[..., None]
    mixed = painted * mask + rgba[..., :3] / 255.0 * (1 - mask)
    return np.concatenate([(mixed * 255 + 0.5).astype(np.uint8), rgba[..., 3:]], -1)


@dataclass(frozen=True)
class Order:
    """One picture and what it is to be painted in."""

    index: int
    grey: bool
    peak: float | None
    colours: tuple[str, ...]


def carried_out(order: Order) -> np.ndarray:
    """The picture in each of the colours, (N, 512, 512, 4) uint8."""
    picture = np.load(WORK / "pictures.npy", mmap_mode="r")[order.index]
    part = grey_paint(picture) if order.grey else paint(picture, peak=order.peak)
    if part is None:
        raise ValueError(f"picture {order.index} has nothing to paint: move it in paint.toml")
    return np.stack([repaint(picture, part, colour) for colour in order.colours])


def main() -> None:
    labels = json.loads((WORK / "concepts.json").read_text())
    rules = tomllib.loads((Path(__file__).parent / "paint.toml").read_text())
    orders, own_colours = [], {}
    for kind in ("hue", "grey"):
        for own, listed in rules[kind].items():
            for label in listed:
                others = tuple(c for c in COLOURS if c != own and c not in rules["skip"].get(label, ()))
                peak = rules["peak"].get(label)
                orders.append(Order(labels.index(label), kind == "grey" and not peak, peak, others))
                own_colours[label] = own
    rows = [(order.index, colour) for order in orders for colour in order.colours]
    shape = np.load(WORK / "pictures.npy", mmap_mode="r").shape[1:]
    out = np.lib.format.open_memmap(WORK / "recolours.npy", "w+", np.uint8, (len(rows), *shape))
    done = 0
    with Pool() as pool:
        for pictures in pool.imap(carried_out, orders):
            out[done : done + len(pictures)] = pictures
            done += len(pictures)
    out.flush()
    (WORK / "recolours.json").write_text(json.dumps({"rows": rows, "own": own_colours}, ensure_ascii=False))
    print(f"{len(rows)} recoloured pictures of {len(orders)} concepts")


if __name__ == "__main__":
    main()
