import numpy as np
import pytest

from tintype.engine.flux2.canvas import Canvas, Canvases

SIZES = [(64, 64), (2048, 64), (64, 2048), (1024, 1024), (1040, 336), (2048, 2048), (80, 1024)]


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_flux2_draws_every_multiple_of_16_as_it_is(width: int, height: int) -> None:
    canvas = Canvases(token=16).choose(width, height)

    assert (canvas.columns * 16, canvas.rows * 16) == (width, height)


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_a_larger_token_draws_the_next_larger_canvas_and_keeps_its_middle(width: int, height: int) -> None:
    canvases = Canvases(token=64)
    canvas = canvases.choose(width, height)
    drawn = np.zeros((canvas.rows * 64, canvas.columns * 64, 3), np.uint8)
    drawn[drawn.shape[0] // 2, drawn.shape[1] // 2] = 255

    picture = canvases.fit(drawn, width, height)

    assert picture.shape == (height, width, 3)
    assert canvas.columns * 64 - width < 64
    assert canvas.rows * 64 - height < 64
    assert (picture[height // 2, width // 2] == 255).all()


def test_native_canvases_are_chosen_by_shape_then_by_area() -> None:
    canvases = Canvases(token=128, native=[(512, 512), (256, 256), (768, 384)])

    assert canvases.choose(2048, 2048) == Canvas(4, 4)
    assert canvases.choose(64, 64) == Canvas(2, 2)
    assert canvases.choose(2048, 1024) == Canvas(3, 6)
    assert canvases.choose(64, 2048) == Canvas(4, 4)


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_a_native_picture_is_resampled_to_exactly_the_size_asked_for(width: int, height: int) -> None:
    drawn = np.random.default_rng(0).integers(0, 256, (512, 512, 3), np.uint8)

    picture = Canvases(token=128, native=[(512, 512)]).fit(drawn, width, height)

    assert picture.shape == (height, width, 3)
    assert picture.dtype == np.uint8
    assert picture.flags.c_contiguous


def test_a_plain_background_is_continued_without_a_seam() -> None:
    drawn = np.full((512, 512, 3), (250, 240, 200), np.uint8)
    drawn[200:300, 200:300] = (200, 30, 30)

    picture = Canvases(token=128, native=[(512, 512)]).fit(drawn, 1024, 512)

    assert (picture[:, :400] == (250, 240, 200)).all()
    assert (picture[:, -400:] == (250, 240, 200)).all()
    assert (picture[250, 512] == (200, 30, 30)).all()


def test_an_uneven_background_is_continued_without_a_step() -> None:
    noise = np.random.default_rng(0).normal(0, 1, (512, 512, 3))
    drawn = (np.linspace(225, 235, 512)[:, None, None] + noise).astype(np.uint8)

    picture = Canvases(token=128, native=[(512, 512)]).fit(drawn, 1024, 512).astype(int)

    seam = abs(picture[:, 257] - picture[:, 255])
    assert seam.max() <= 2


def test_what_touches_the_border_is_not_drawn_out_into_a_streak() -> None:
    drawn = np.full((512, 512, 3), 255, np.uint8)
    drawn[200:260, :] = 0

    picture = Canvases(token=128, native=[(512, 512)]).fit(drawn, 1024, 512)

    assert (picture[:, :256] == 255).all()


def test_each_side_continues_in_its_own_colour() -> None:
    drawn = np.full((512, 512, 3), 255, np.uint8)
    drawn[256:] = (0, 0, 200)

    picture = Canvases(token=128, native=[(512, 512)]).fit(drawn, 512, 1024)

    assert (picture[0] == 255).all()
    assert (picture[-1] == (0, 0, 200)).all()
