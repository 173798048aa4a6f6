"""How large a picture becomes that is to be like another one."""

import math

STEP = 16
SHORTEST, LONGEST = 64, 2048
MOST_PIXELS = 2**20
"""A larger picture is followed in its shape alone."""


def size_like(picture: tuple[int, int], *, width: int = 0, height: int = 0) -> tuple[int, int]:
    """Width and height in pixels of a picture shaped like the given one; what is not 0 is kept.

    Multiples of 16 within 64..2048. The shape is kept as well as these limits allow.
    """
    wide, high = picture
    if width and height:
        return width, height
    if width:
        return width, _side(width * high / wide)
    if height:
        return _side(height * wide / high), height
    scale = min(1.0, math.sqrt(MOST_PIXELS / (wide * high)), LONGEST / max(wide, high))
    scale = max(scale, SHORTEST / min(wide, high))
    return _fitting(wide * scale, high * scale)


def _fitting(wide: float, high: float) -> tuple[int, int]:
    """Both sides, rounded; the longer one is rounded down where they would be too many pixels."""
    width, height = _side(wide), _side(high)
    while width * height > MOST_PIXELS:
        if width >= height:
            width -= STEP
        else:
            height -= STEP
    return width, height


def _side(length: float) -> int:
    return min(max(STEP * round(length / STEP), SHORTEST), LONGEST)
