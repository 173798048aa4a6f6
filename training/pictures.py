"""Rasterise the icons at 512 px, transparent, as (N, 512, 512, 4) uint8.

`work/pictures.npy` has one picture for each concept; `work/styles.npy` the same things as other icon sets
draw them, with the concept and the style of each in `work/styles.json`.
"""

import io
import json
from multiprocessing import Pool
from typing import Any

import numpy as np
import resvg_py
from PIL import Image

from training.concepts import Concept, concepts, faces, things
from training.packages import WORK, document, files

SIZE = 512
MARGIN = 8  #: pixels left free on each side


def rasterise(source: str | bytes) -> np.ndarray:
    """An SVG document or encoded picture as (512, 512, 4) uint8, straight alpha, centred with a margin."""
    inner = SIZE - 2 * MARGIN
    if isinstance(source, str):
        source = bytes(resvg_py.svg_to_bytes(svg_string=source, width=inner, height=inner))
    icon = Image.open(io.BytesIO(source)).convert("RGBA")
    if max(icon.size) != inner:
        factor = inner / max(icon.size)
        icon = icon.resize(
            (round(icon.width * factor), round(icon.height * factor)), Image.Resampling.LANCZOS
        )
    canvas = Image.new("RGBA", (SIZE, SIZE), (255, 255, 255, 0))
    canvas.paste(icon, ((SIZE - icon.width) // 2, (SIZE - icon.height) // 2))
    return np.asarray(canvas)


def svg(icons: dict[str, Any], key: str) -> str:
    """The icon as a document; aliases are followed."""
    icon = icons["icons"].get(key) or icons["icons"][icons["aliases"][key]["parent"]]
    width, height = icon.get("width", icons["width"]), icon.get("height", icons["height"])
    left, top = icon.get("left", 0), icon.get("top", 0)
    body = icon["body"]
    if key.endswith("-4x3"):  # flags: a rim, so that white ones have an edge
        body += f'<rect width="{width}" height="{height}" fill="none" stroke="#9aa0a6" stroke-width="10"/>'
    head = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    return f'{head} viewBox="{left} {top} {width} {height}">{body}</svg>'


def on_white(rgba: np.ndarray) -> np.ndarray:
    """(…, 4) with alpha to (…, 3) on a white background, uint8."""
    alpha = rgba[..., 3:].astype(np.uint16)
    return ((rgba[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)


def in_other_styles(chosen: list[Concept]) -> list[tuple[int, str, str | bytes]]:
    """Concept, style and source of every picture that the other icon sets have of a thing or a face."""
    flat, flat_names = document("flat", "icons.json"), document("flat", "chars.json")
    solid = files("3d")
    blob = document("blob", "icons.json")
    common, smileys = set(things(chosen)), set(faces(chosen))
    found: list[tuple[int, str, str | bytes]] = []
    for index, concept in enumerate(chosen):
        if index not in common and index not in smileys:
            continue
        if name := flat_names.get(concept.code):
            found.append((index, "flat", svg(flat, name)))
        for code in (concept.code, f"{concept.code}-fe0f"):
            if (picture := solid.get(f"assets/{code}.webp")) is not None:
                found.append((index, "3d", picture))
                break
        if concept.icon in blob["icons"]:
            found.append((index, "blob", svg(blob, concept.icon)))
    return found


def write(name: str, sources: list[str | bytes]) -> None:
    """Rasterise all of them into one array in `work/`."""
    out = np.lib.format.open_memmap(WORK / name, "w+", np.uint8, (len(sources), SIZE, SIZE, 4))
    with Pool() as pool:
        for index, picture in enumerate(pool.imap(rasterise, sources, chunksize=8)):
            out[index] = picture
    out.flush()
    empty = sum(not out[i, ..., 3].any() for i in range(len(out)))
    print(f"{name}: {len(sources)} pictures, {empty} of them empty")


def main() -> None:
    WORK.mkdir(parents=True, exist_ok=True)
    chosen = concepts()
    icons = {name: document(name, "icons.json") for name in ("noto", "flags")}
    write("pictures.npy", [svg(icons[concept.icons], concept.icon) for concept in chosen])
    (WORK / "concepts.json").write_text(json.dumps([concept.label for concept in chosen], ensure_ascii=False))
    styled = in_other_styles(chosen)
    write("styles.npy", [source for _, _, source in styled])
    (WORK / "styles.json").write_text(json.dumps([(index, style) for index, style, _ in styled]))


if __name__ == "__main__":
    main()
