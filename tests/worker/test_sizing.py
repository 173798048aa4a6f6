"""Between the claim and the engine: sizes that follow from pictures."""

from typing import Any

import pytest
from PIL import Image

from files import picture
from tintype.worker.sizing import size_like
from worker.input_pictures import JPEG, PNG, prepare, upload
from worker.workshop import Workshop

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120)]


@pytest.mark.parametrize(
    ("asked", "size"),
    [
        ({}, (320, 160)),
        ({"width": 0, "height": "0"}, (320, 160)),
        ({"width": 640}, (640, 320)),
        ({"height": 640}, (1280, 640)),
        ({"width": 512, "height": 512}, (512, 512)),
    ],
)
async def test_what_is_not_set_follows_from_the_first_picture(
    workshop: Workshop, asked: dict[str, Any], size: tuple[int, int]
) -> None:
    first, second = await upload(workshop, PNG), await upload(workshop, JPEG)

    prepared = await prepare(workshop, first, second, **asked)

    assert (prepared.inputs["width"], prepared.inputs["height"]) == size


async def test_a_picture_counts_as_people_see_it(workshop: Workshop) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    url = await upload(workshop, picture("JPEG", size=(320, 160), exif=exif))

    prepared = await prepare(workshop, url)

    assert (prepared.inputs["width"], prepared.inputs["height"]) == (160, 320)


@pytest.mark.parametrize(
    ("picture", "size"),
    [
        ((1024, 1024), (1024, 1024)),
        ((1000, 500), (992, 496)),
        ((2048, 2048), (1024, 1024)),
        ((4000, 3000), (1184, 880)),
        ((3000, 4000), (880, 1184)),
        ((1920, 1080), (1360, 768)),
        ((8000, 1000), (2048, 256)),
        ((64, 64), (64, 64)),
        ((20, 10), (128, 64)),
        ((1, 1000), (64, 2048)),
        ((1040, 1008), (1040, 1008)),
        ((1056, 1008), (1040, 1008)),
    ],
)
def test_a_size_keeps_the_shape_within_a_megapixel(picture: tuple[int, int], size: tuple[int, int]) -> None:
    assert size_like(picture) == size


@pytest.mark.parametrize("wide", [1, 16, 63, 100, 999, 1024, 5000, 60_000])
@pytest.mark.parametrize("high", [1, 65, 1025, 4096])
def test_every_picture_gives_a_size_that_can_be_drawn(wide: int, high: int) -> None:
    for size in (
        size_like((wide, high)),
        size_like((wide, high), width=640),
        size_like((wide, high), height=96),
    ):
        assert all(64 <= side <= 2048 and side % 16 == 0 for side in size)
    width, height = size_like((wide, high))
    assert width * height <= 2**20
