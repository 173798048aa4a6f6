"""The fixed sheet of 64 prompts, the few that the README shows, and how they are laid out as one picture."""

from collections.abc import Sequence

from PIL import Image, ImageDraw

PROMPTS: dict[str, tuple[str, ...]] = {
    "names": (
        "a dog", "a cat", "a car", "a house", "a flower", "a slice of pizza", "a robot", "an astronaut",
    ),
    "other words": (
        "puppy", "kitty", "automobile", "a laptop", "sneakers", "a UFO", "a cheeseburger", "a doctor",
        "the king", "a wizard", "a bunny", "a dinosaur",
    ),
    "colours": (
        "a blue car", "a green apple", "a pink elephant", "a purple butterfly", "a red balloon",
        "a black cat", "a yellow rose", "an orange fish", "a green dress", "a red house", "a purple dragon",
        "a white rabbit",
    ),
    "styles": (
        "a 3d dog", "a flat cat", "a car, 3d render", "an apple in flat style", "a blob bear",
        "a smiling face in blob style", "a 3d banana", "a flat penguin",
    ),
    "counts": (
        "two cats", "three apples", "two blue cars", "three roses", "two dogs on a yellow background",
        "three pink pigs",
    ),
    "pairs": (
        "a cat and a dog", "an apple next to a banana", "a red car and a blue house",
        "a lion beside a tree", "a cup of tea and a cake", "a fish and a bird",
    ),
    "backgrounds": (
        "a dog on a blue background", "a rose on a black background", "a lemon with a pink background",
        "a robot on a green background",
    ),
    "outside the data": (
        "A photo of a MAJESTIC lion, golden hour, 8k", "a dog wearing a hat in the park", "a pirate ship",
        "bacon and eggs", "a skyscraper at night", "a knight in armor", "a bowl of fruit",
        "a cold winter day",
    ),
}  # fmt: skip
SHOWN = (
    "a red apple", "a blue car", "a dog wearing a hat", "two cats",
    "a red car and a blue house", "a purple butterfly", "a cheeseburger", "a slice of pizza",
)  # fmt: skip
COLUMNS, CELL, CAPTION = 8, 192, 18


def laid_out(pictures: Sequence[Image.Image], captions: Sequence[str]) -> Image.Image:
    """Pictures in rows of eight, each with its prompt below."""
    rows = -(-len(pictures) // COLUMNS)
    sheet = Image.new("RGB", (COLUMNS * CELL, rows * (CELL + CAPTION)), "white")
    pen = ImageDraw.Draw(sheet)
    for place, (picture, caption) in enumerate(zip(pictures, captions, strict=True)):
        left, top = place % COLUMNS * CELL, place // COLUMNS * (CELL + CAPTION)
        sheet.paste(picture.resize((CELL, CELL), Image.Resampling.LANCZOS), (left, top))
        pen.text((left + CELL // 2, top + CELL + 2), caption[:32], fill="black", anchor="ma")
    return sheet


def tiled(pictures: Sequence[Image.Image], columns: int = 4, cell: int = 256) -> Image.Image:
    """Pictures in rows, side by side."""
    out = Image.new("RGB", (columns * cell, -(-len(pictures) // columns) * cell), "white")
    for place, picture in enumerate(pictures):
        small = picture.resize((cell, cell), Image.Resampling.LANCZOS)
        out.paste(small, (place % columns * cell, place // columns * cell))
    return out
