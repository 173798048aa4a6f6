"""The fixed sheet of prompts, four groups of sixteen, and how it is laid out as one picture."""

from collections.abc import Sequence

from PIL import Image, ImageDraw

PROMPTS: dict[str, tuple[str, ...]] = {
    "names": (
        "a dog", "a cat", "a car", "a house", "a tree", "a flower", "a rocket", "a slice of pizza",
        "a smiling face with sunglasses", "a guitar", "an airplane", "a boat", "a birthday cake",
        "a castle", "a robot", "an astronaut",
    ),
    "other words": (
        "puppy", "kitty", "automobile", "bike", "a phone", "a laptop", "sneakers", "a sofa", "TV",
        "a UFO", "a cheeseburger", "a doctor", "the king", "a wizard", "a bunny", "a dinosaur",
    ),
    "colours": (
        "a blue car", "a green apple", "a pink elephant", "a purple butterfly", "a red balloon",
        "a black cat", "a white rabbit", "a yellow rose", "an orange fish", "a red cap",
        "a green dress", "a blue flower", "a yellow umbrella", "a purple dragon", "a red house",
        "a gray mouse",
    ),
    "outside the data": (
        "A photo of a MAJESTIC lion, golden hour, 8k", "a dog wearing a hat in the park",
        "a pirate ship", "bacon and eggs", "a chihuahua", "a skyscraper at night", "a knight in armor",
        "two cats", "a bowl of fruit", "a mountain lake at sunset", "a cold winter day", "a sad robot",
        "a vegetable garden", "a famous scientist", "a pretty bouquet of roses for my wife",
        "music festival",
    ),
}  # fmt: skip
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
