"""Drawing again what a picture or a task says, and the word on whether it is the same."""

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image
from safetensors.numpy import load_file, save_file

from api.wire import MODELS
from cli.commands import tintype
from serving import Server
from tintype.engine.images import xmp
from tintype.engine.images.inspection import inspect

SMALL = ("--width", "64", "--height", "64", "--steps", "2")


def access(server: Server) -> dict[str, str]:
    return {"url": server.url, "key": server.key, "secret": server.secret}


def retrained(weights: Path, folder: Path) -> Path:
    """A checkpoint of the same name that draws otherwise."""
    copy = shutil.copytree(weights, folder / weights.name)
    (file,) = (copy / "transformer").glob("*.safetensors")
    tensors = load_file(file)
    save_file({name: tensor * 1.5 for name, tensor in tensors.items()}, file, {"format": "pt"})
    return copy


def draw(folder: Path, weights: Path | str, *arguments: str, **settings: str) -> str:
    """What drawing said on stderr."""
    drawn = tintype("draw", *arguments, "--weights", str(weights), cwd=folder, **settings)
    assert drawn.returncode == 0, drawn.stderr
    return drawn.stderr


def test_a_picture_is_drawn_again_to_the_byte_by_the_same_weights_alone(
    tmp_path: Path, tiny_checkpoint: Path
) -> None:
    draw(tmp_path, tiny_checkpoint, "a red kite", "--seed", "7", *SMALL, "-o", "kite.png")

    said = draw(tmp_path, tiny_checkpoint, "--again", "kite.png").splitlines()

    assert (tmp_path / "a-red-kite.png").read_bytes() == (tmp_path / "kite.png").read_bytes()
    assert said[-1] == "the same pixels as kite.png"

    other = retrained(tiny_checkpoint, tmp_path / "other")
    said = draw(tmp_path, other, "--again", "kite.png", "-o", "other.png").splitlines()

    told = next(number for number, line in enumerate(said) if line.startswith("drawn otherwise"))
    assert said[told].startswith("drawn otherwise than kite.png: fingerprint ")
    assert said.index("drawing") > told
    assert said[-1].startswith("NOT the same as kite.png: ")
    assert said[-1].endswith("/255 at most")


def test_a_picture_that_is_drawn_again_in_other_numbers_is_told(
    tmp_path: Path, tiny_checkpoint: Path
) -> None:
    (tmp_path / "pages").mkdir()
    page = (MODELS / "flux-2-flex-t2i.toml").read_text().replace("flux-2-flex-t2i", "half")
    (tmp_path / "pages" / "half.toml").write_text(f'dtype = "bfloat16"\n{page}')
    draw(tmp_path, tiny_checkpoint, "a red kite", *SMALL, "-o", "kite.png")

    by_settings = draw(tmp_path, tiny_checkpoint, "--again", "kite.png", dtype="bfloat16")
    by_page = tintype(
        *("draw", "--again", "kite.png", "--model", "black-forest-labs/half", "-o", "half.png"),
        cwd=tmp_path,
        weights=str(tiny_checkpoint),
        catalogue=str(tmp_path / "pages"),
    )

    for said in (by_settings, by_page.stderr):
        assert "drawn otherwise than kite.png: dtype float32, now bfloat16\n" in said
        assert said.splitlines()[-1].startswith("NOT the same as kite.png: ")
    assert (tmp_path / "half.png").is_file()


def test_what_is_given_besides_counts_more(tmp_path: Path) -> None:
    draw(tmp_path, "blank:", "a red kite", *SMALL, "-o", "kite.jpg")

    said = draw(tmp_path, "blank:", "--again", "kite.jpg", "--seed", "9")

    assert said.splitlines()[-1] == "other inputs than kite.jpg: seed"
    assert inspect((tmp_path / "a-red-kite.jpg").read_bytes()).metadata["inputs"]["seed"] == 9


def test_an_edited_picture_wants_its_pictures_back(tmp_path: Path) -> None:
    Image.radial_gradient("L").resize((96, 64)).save(tmp_path / "cat.png")
    Image.linear_gradient("L").resize((96, 64)).save(tmp_path / "dog.png")
    draw(tmp_path, "blank:", "a hat", "--image", "cat.png", "--steps", "2", "-o", "hat.png")

    without = tintype("draw", "--again", "hat.png", cwd=tmp_path)
    other = tintype("draw", "--again", "hat.png", "--image", "dog.png", cwd=tmp_path)
    said = draw(tmp_path, "blank:", "--again", "hat.png", "--image", "cat.png", "-o", "again.png")

    assert (without.returncode, other.returncode) == (2, 2)
    assert "hat.png was drawn after 1 pictures, which it does not contain; give them" in without.stderr
    assert "--image dog.png is not picture 1 that hat.png was drawn after" in other.stderr
    drawn = inspect((tmp_path / "hat.png").read_bytes())
    assert (drawn.width, drawn.height, drawn.digital_source_type) == (96, 64, xmp.EDITED)
    assert said.splitlines()[-1] == "the same pixels as hat.png"


def test_a_model_that_takes_no_pictures_says_so(tmp_path: Path) -> None:
    Image.new("RGB", (64, 64)).save(tmp_path / "cat.png")
    model = "black-forest-labs/flux-2-flex-t2i"

    done = tintype("draw", "a hat", "--image", "cat.png", "--model", model, cwd=tmp_path)

    assert (done.returncode, done.stderr) == (2, f"tintype: {model} takes no pictures\n")


def test_a_picture_without_inputs_cannot_be_drawn_again(tmp_path: Path) -> None:
    Image.new("RGB", (64, 64)).save(tmp_path / "plain.png")
    draw(tmp_path, "blank:", "a red kite", "-o", "minimal.png", metadata="minimal")

    for name in ("plain.png", "minimal.png"):
        done = tintype("draw", "--again", name, cwd=tmp_path)
        assert done.returncode == 2
        assert done.stderr.startswith(
            f"tintype: {name} does not say what it was drawn from: it lacks prompt,"
        )


def test_a_shortened_prompt_must_be_given(tmp_path: Path) -> None:
    draw(tmp_path, "blank:", "x" * 70_000, "-o", "long.jpg")

    done = tintype("draw", "--again", "long.jpg", cwd=tmp_path)

    assert done.returncode == 2
    assert "long.jpg does not hold the whole prompt" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("draw",), "say what to draw: give a prompt, or --again PICTURE"),
        (("draw", "--again", "nowhere.png"), "cannot read nowhere.png: No such file or directory"),
        (("run", "--again", "nowhere.png"), "cannot read nowhere.png: No such file or directory"),
        (("run",), "name a model, or --again PICTURE|TASK"),
    ],
)
def test_a_slip_is_one_clear_line(
    tmp_path: Path, plain_server: Server, arguments: tuple[str, ...], said: str
) -> None:
    done = tintype(*arguments, cwd=tmp_path, **access(plain_server))

    assert (done.returncode, done.stderr) == (2, f"tintype: {said}\n")


def test_a_server_draws_a_picture_again(server: Server, tmp_path: Path) -> None:
    task = server.run(prompt="a red kite", seed=7).ends()
    (tmp_path / "kite.png").write_bytes(server.client.download(task.output))

    done = tintype("run", "--again", "kite.png", "-o", "again.png", cwd=tmp_path, **access(server))

    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1] == "the same pixels as kite.png"
    assert (tmp_path / "again.png").read_bytes() == (tmp_path / "kite.png").read_bytes()


@pytest.mark.parametrize("names", ["id", "token"])
def test_a_server_draws_a_task_again(server: Server, tmp_path: Path, names: str) -> None:
    task = server.run(prompt="a blue kite", seed=8).ends()

    done = tintype(
        *("run", "--again", getattr(task, names), "--json", "-o", "again.png"), cwd=tmp_path, **access(server)
    )

    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1] == f"the same pixels as task {task.id}"
    assert json.loads(done.stdout)["task"]["parameters"]["prompt"] == "a blue kite"


def test_a_task_whose_picture_is_gone_is_drawn_from_its_inputs(server: Server, tmp_path: Path) -> None:
    task = server.run(prompt="a green kite", seed=9).ends()
    kept = server.client.download(task.output)
    server.client.delete_files(task)

    done = tintype("run", "--again", task.id, "-o", "again.png", cwd=tmp_path, **access(server))

    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1] == f"task {task.id} has no picture any more to compare with"
    assert (tmp_path / "again.png").read_bytes() == kept


def test_a_server_with_other_weights_is_told(server: Server, tmp_path: Path, tiny_checkpoint: Path) -> None:
    other = retrained(tiny_checkpoint, tmp_path / "other")
    draw(tmp_path, other, "a red kite", *SMALL, "-o", "kite.png")

    done = tintype("run", "--again", "kite.png", "-o", "again.png", cwd=tmp_path, **access(server))

    assert done.returncode == 0, done.stderr
    assert "drawn otherwise than kite.png: fingerprint " in done.stderr
    assert done.stderr.splitlines()[-1].startswith("NOT the same as kite.png: ")
