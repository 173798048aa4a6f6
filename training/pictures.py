"""Rasterise every concept's icon at 512 px, transparent, into `work/pictures.npy` (N, 512, 512, 4) uint8."""

import io
import json
from multiprocessing import Pool
from typing import Any

import numpy as np
import resvg_py
from PIL import Image

from training.concepts import concepts
from training.packages import WORK, document

SIZE = 512
MARGIN = 8  #: pixels left free on each side


def rasterise(svg: str) -> np.ndarray:
    """One SVG document as (512, 512, 4) uint8, straight alpha, centred with a small margin."""
    inner = SIZE - 2 * MARGIN
    data = resvg_py.svg_to_bytes(svg_string=svg, width=inner, height=inner)
    icon = Image.open(io.BytesIO(bytes(data))).convert("RGBA")
    canvas = Image.new("RGBA", (SIZE, SIZE), (255, 255, 255, 0))
    canvas.paste(icon, ((SIZE - icon.width) // 2, (SIZE - icon.height) // 2))
    return np.asarray(canvas)


def svg(icons: dict[str, Any], key: str) -> str:
    """The icon as a document; aliases are followed."""
    icon = icons["icons"].get(key) or icons["icons"][icons["aliases"][key]["parent"]]
    width, height = icon.get("width", icons["width"]), icon.get("height", icons["height"])
    left, top = icon.get("left", 0), icon.get("top", 0)
    head = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    return f'{head} viewBox="{left} {top} {width} {height}">{icon["body"]}</svg>'


def on_white(rgba: np.ndarray) -> np.ndarray:
    """(…, 4) with alpha to (…, 3) on a white background, uint8."""
    alpha = rgba[..., 3:].astype(np.uint16)
    return ((rgba[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)


def main() -> None:
    WORK.mkdir(exist_ok=True)
    chosen, icons = concepts(), document("noto", "icons.json")
    out = np.lib.format.open_memmap(WORK / "pictures.npy", "w+", np.uint8, (len(chosen), SIZE, SIZE, 4))
    with Pool() as pool:
        documents = [svg(icons, concept.icon) for concept in chosen]
        for index, picture in enumerate(pool.imap(rasterise, documents, chunksize=8)):
            out[index] = picture
    out.flush()
    (WORK / "concepts.json").write_text(json.dumps([concept.label for concept in chosen], ensure_ascii=False))
    print(f"{len(chosen)} pictures, {sum(not out[i, ..., 3].any() for i in range(len(out)))} of them empty")


if __name__ == "__main__":
    main()
