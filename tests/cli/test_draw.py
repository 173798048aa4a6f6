"""`tintype draw`: a picture without a server."""

from pathlib import Path

from PIL import Image

from cli.commands import on_terminal, tintype
from serving import alive, descendants, until

BLANK = ("--weights", "blank:")


def test_a_picture_is_written_and_its_name_printed(tmp_path: Path) -> None:
    done = tintype(
        "draw", "a red apple", "-o", "apple.png", "--width", "128", "--height", "64", *BLANK, cwd=tmp_path
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout == "apple.png\n"
    with Image.open(tmp_path / "apple.png") as picture:
        assert picture.size == (128, 64)
        assert picture.format == "PNG"


def test_the_file_name_decides_the_format(tmp_path: Path) -> None:
    tintype("draw", "a red apple", "-o", "apple.jpg", *BLANK, cwd=tmp_path)

    with Image.open(tmp_path / "apple.jpg") as picture:
        assert picture.format == "JPEG"


def test_a_stated_format_counts_more_than_the_file_name(tmp_path: Path) -> None:
    tintype("draw", "a red apple", "-o", "apple.jpg", "--format", "png", *BLANK, cwd=tmp_path)

    with Image.open(tmp_path / "apple.jpg") as picture:
        assert picture.format == "PNG"


def test_a_named_file_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "apple.png").write_text("old")

    done = tintype("draw", "a red apple", "-o", "apple.png", *BLANK, cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    assert (tmp_path / "apple.png").read_bytes().startswith(b"\x89PNG")


def test_without_a_name_each_picture_is_a_new_file_named_after_the_prompt(tmp_path: Path) -> None:
    first = tintype("draw", "A red apple!", *BLANK, cwd=tmp_path)
    second = tintype("draw", "A red apple!", *BLANK, cwd=tmp_path)

    assert (first.stdout, second.stdout) == ("a-red-apple.png\n", "a-red-apple-2.png\n")


def test_wrong_inputs_are_told_all_at_once_in_the_words_of_the_server(tmp_path: Path) -> None:
    done = tintype("draw", "a red apple", "--width", "1000", "--steps", "many", *BLANK, cwd=tmp_path)

    assert done.returncode == 3
    assert "Request parameter [width] must be a multiple of 16" in done.stderr
    assert "Request parameter [steps] must be integer or float" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_that_does_not_exist_is_noticed_before_drawing(tmp_path: Path) -> None:
    done = tintype("draw", "a red apple", "-o", "nowhere/apple.png", *BLANK, cwd=tmp_path)

    assert done.returncode == 2
    assert done.stderr == "tintype: -o nowhere/apple.png: the folder nowhere does not exist\n"


def test_an_ending_that_is_no_format_is_noticed_before_drawing(tmp_path: Path) -> None:
    done = tintype("draw", "a red apple", "-o", "apple.webp", *BLANK, cwd=tmp_path)

    assert done.returncode == 2
    assert done.stderr == "tintype: -o apple.webp: pictures are PNG or JPEG; name it .png, .jpg or .jpeg\n"
    assert not (tmp_path / "apple.webp").exists()


def test_missing_weights_are_one_clear_line(tmp_path: Path) -> None:
    done = tintype("draw", "a red apple", "--weights", "/nowhere", cwd=tmp_path)

    assert done.returncode == 2
    assert "/nowhere" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_an_unknown_model_page_names_the_known_ones(tmp_path: Path) -> None:
    done = tintype("draw", "a red apple", "--model", "no/such", *BLANK, cwd=tmp_path)

    assert done.returncode == 2
    assert "'no/such' is no model here; there is black-forest-labs/flux-2-flex-t2i" in done.stderr


def test_a_terminal_shows_a_bar_that_counts_the_steps(tmp_path: Path) -> None:
    with on_terminal("draw", "a red apple", "-o", "apple.png", *BLANK, cwd=tmp_path) as terminal:
        terminal.shows("loading the model")
        terminal.shows("drawing")

        assert terminal.ends() == 0
    assert "100%" in terminal.screen
    assert "apple.png" in terminal.screen


def test_control_c_ends_the_engine_and_writes_nothing(tmp_path: Path, tiny_checkpoint: Path) -> None:
    long = ("--width", "768", "--height", "768", "--steps", "50", "--weights", str(tiny_checkpoint))
    with on_terminal("draw", "a red kite", "-o", "kite.png", *long, cwd=tmp_path) as terminal:
        terminal.shows("drawing")
        family = descendants(terminal.process.pid)

        terminal.press_control_c()

        assert terminal.ends() == 130
    assert "interrupted; nothing was written" in terminal.screen
    assert not (tmp_path / "kite.png").exists()
    assert family
    until(lambda: not any(map(alive, family)), within=10, what="the engine to end")
