"""Every published family is read from its folder as it is, and drawn as its stock pipeline draws it."""

import json
import shutil
from pathlib import Path

import pytest
import torch

from tintype.domain.placement import Dtype
from tintype.engine.flux2.engine import Flux2Engine
from tintype.engine.images.metadata import read_inputs
from tintype.engine.protocol import Drawn, Job

from .drawing import draw, open_engine, pixels
from .families import WRITERS
from .jobs import job
from .references import reference
from .stock import stock

CASES = {
    "klein-4b": job(steps=4, guidance=1.0),
    "klein-base-4b": job(steps=6, guidance=4.0, width=128, height=80),
    "dev": job(steps=5, guidance=2.5, prompt="a green [IMG] dog"),
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {name: write(tmp_path_factory.mktemp(name) / name) for name, write in WRITERS.items()}


def steps_of(engine: Flux2Engine, asked: Job) -> list[torch.Tensor]:
    """(tokens, channels) after each step."""
    engine.admit(asked)
    (run,) = engine._runs.values()
    steps = []
    while not engine.idle:
        engine.step()
        (stepped,) = engine._steps._stepped
        at, then = run.sigmas[run.step - 1], run.sigmas[run.step]
        steps.append(stepped.latents[0] + (then - at) * stepped.velocity[0])
    return steps


@pytest.mark.parametrize("name", CASES)
def test_every_step_and_the_picture_are_those_of_the_stock_pipeline(
    folders: dict[str, Path], name: str
) -> None:
    asked = CASES[name]
    expected = stock(folders[name], asked)

    steps = steps_of(open_engine(folders[name]), asked)
    drawn = draw(open_engine(folders[name]), asked).pictures[asked.id]

    assert len(steps) == asked.steps
    for ours, theirs in zip(steps, expected.steps, strict=True):
        assert (ours - theirs).abs().max() <= 2e-4
    assert steps[-1].std() > 0.1
    assert abs(pixels(drawn) - expected.picture * 255).max() <= 1


def test_dev_edits_as_its_stock_pipeline_does(folders: dict[str, Path]) -> None:
    asked = job(steps=2, guidance=4.0, images=(reference(96, 64),))

    steps = steps_of(open_engine(folders["dev"]), asked)

    assert (steps[-1] - stock(folders["dev"], asked).steps[-1]).abs().max() <= 2e-4


def test_a_distilled_model_draws_with_its_own_steps_and_guidance(folders: dict[str, Path]) -> None:
    asked = job(steps=20, guidance=7.5)
    usual = job(steps=4, guidance=1.0)

    drawn = draw(open_engine(folders["klein-4b"]), asked, usual)

    assert torch.equal(drawn.latents[asked.id], drawn.latents[usual.id])
    picture_of_asked = drawn.pictures[asked.id]
    assert isinstance(picture_of_asked, Drawn)
    inputs = read_inputs(picture_of_asked.image)
    assert (inputs["steps"], inputs["guidance"]) == (4, 1.0)


def test_models_that_are_not_distilled_draw_what_is_asked(folders: dict[str, Path]) -> None:
    for name in ("klein-base-4b", "dev"):
        asked = job(steps=3, guidance=7.5)

        drawn = draw(open_engine(folders[name]), asked).pictures[asked.id]

        assert isinstance(drawn, Drawn)
        assert read_inputs(drawn.image)["steps"] == 3


def test_what_is_fixed_can_stand_beside_the_weights(folders: dict[str, Path], tmp_path: Path) -> None:
    folder = tmp_path / "own"
    shutil.copytree(folders["klein-4b"], folder)
    (folder / "tintype.toml").write_text("[fixed]\nsteps = 3\n")

    engine = open_engine(folder)
    drawn = draw(engine, asked := job(steps=9, guidance=2.0)).pictures[asked.id]

    assert isinstance(drawn, Drawn)
    inputs = read_inputs(drawn.image)
    assert (inputs["steps"], inputs["guidance"]) == (3, 2.0)


def test_the_vision_half_of_devs_encoder_is_not_kept(folders: dict[str, Path]) -> None:
    encoder = open_engine(folders["dev"])._checkpoint.text._encoder

    assert type(encoder).__name__ == "MistralModel"
    assert len(encoder.layers) == 30


def test_bfloat16_keeps_what_has_to_be_exact_in_float32(folders: dict[str, Path]) -> None:
    asked = CASES["klein-base-4b"]
    exact = stock(folders["klein-base-4b"], asked).steps[-1]
    theirs = stock(folders["klein-base-4b"], asked, dtype=torch.bfloat16).steps[-1]

    engine = open_engine(folders["klein-base-4b"], dtype=Dtype.BFLOAT16)
    ours = steps_of(engine, asked)[-1]

    checkpoint = engine._checkpoint
    assert {p.dtype for p in checkpoint.transformer.parameters()} == {torch.bfloat16}
    assert ours.dtype == torch.float32
    vae = checkpoint.decoder._vae
    assert vae.bn.running_var.dtype == torch.float32
    unrounded = open_engine(folders["klein-base-4b"])._checkpoint.decoder._vae
    assert torch.equal(vae.bn.running_var, unrounded.bn.running_var)
    assert checkpoint.transformer.pos_embed(engine._steps._text_positions)[0].dtype == torch.float32
    assert (ours - exact).abs().mean() <= (theirs - exact).abs().mean()


def test_dev_without_its_chat_template_is_one_clear_line(folders: dict[str, Path], tmp_path: Path) -> None:
    from tintype.domain.errors import BadCheckpoint

    folder = tmp_path / "mute"
    shutil.copytree(folders["dev"], folder)
    (folder / "tokenizer" / "chat_template.jinja").unlink()

    with pytest.raises(BadCheckpoint, match=r"mute: tokenizer: chat_template\.jinja is missing"):
        open_engine(folder)


def test_folders_are_written_as_they_are_published(folders: dict[str, Path]) -> None:
    index = json.loads((folders["dev"] / "model_index.json").read_text())

    assert index["text_encoder"] == ["transformers", "Mistral3ForConditionalGeneration"]
    assert index["tokenizer"] == ["transformers", "PixtralProcessor"]
    assert not (folders["dev"] / "tintype.toml").exists()
