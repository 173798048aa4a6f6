"""Whether two pictures are the same, pixel by pixel, and whether the same things drew them."""

import io
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple


class Difference(NamedTuple):
    """How far two pictures of one size are apart."""

    pixels: int
    """How many differ."""
    of: int
    most: int
    """The largest distance of a channel, in 255ths."""


def difference(one: bytes, other: bytes) -> Difference | None:
    """How the pictures differ; None if their sizes do. Raises `ValueError` if one is no readable picture."""
    import numpy as np

    first, second = _pixels(one), _pixels(other)
    if first.shape != second.shape:
        return None
    apart = np.abs(first.astype(np.int16) - second).max(axis=2)
    return Difference(pixels=int(np.count_nonzero(apart)), of=apart.size, most=int(apart.max()))


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    """What is not the same of that which drew two pictures, by their metadata, in a few words each.

    What either of them does not say is passed over.
    """
    for name in ("checkpoint", "fingerprint"):
        yield from _change(name, before.get(name), after.get(name))
    for table in ("description", "versions", "arithmetic"):
        old, new = _table(before, table), _table(after, table)
        for name in sorted(old.keys() | new.keys()):
            yield from _change(name, old.get(name), new.get(name))


def _change(name: str, old: object, new: object) -> Iterator[str]:
    if old and new and old != new:
        yield f"{name} {old}, now {new}"


def _table(metadata: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    table = metadata.get(name)
    return table if isinstance(table, dict) else {}


def _pixels(image: bytes) -> Any:
    """(height, width, 3)"""
    import numpy as np
    from PIL import Image

    try:
        return np.asarray(Image.open(io.BytesIO(image)).convert("RGB"))
    except Exception as error:  # Pillow's readers fail in many ways on damaged files
        raise ValueError("not a readable picture") from error
