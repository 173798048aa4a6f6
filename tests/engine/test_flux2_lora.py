"""LoRAs on a checkpoint that is in memory once, against PEFT's own word on what they do."""

import functools
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from tintype.domain.errors import BadCheckpoint
from tintype.domain.source import Source
from tintype.engine.engine import Denoised
from tintype.engine.flux2.adapting import adapt
from tintype.engine.flux2.engine import Flux2Engine
from tintype.engine.flux2.lora import Adapted
from tintype.engine.images.metadata import read_metadata
from tintype.engine.protocol import Drawn

from .drawing import EngineOf, draw, pixels
from .jobs import job
from .loras import fused, write_kohya, write_lora


@pytest.fixture(scope="module")
def ink(klein: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_lora(klein, tmp_path_factory.mktemp("loras") / "ink.safetensors")


def adapted(base: Flux2Engine, lora: Path, strength: float = 1.0) -> Flux2Engine:
    made = adapt(Source(lora=str(lora), strength=strength), base)()
    assert isinstance(made, Flux2Engine)
    return made


def drawn(engine: Flux2Engine, **fields: object) -> Drawn:
    asked = job(**fields)
    picture = draw(engine, asked).pictures[asked.id]
    assert isinstance(picture, Drawn)
    return picture


@pytest.mark.parametrize(("alpha", "strength"), [(None, 1.0), (None, 0.5), (5.0, -0.25)])
def test_a_lora_draws_what_a_transformer_with_its_weights_fused_draws(
    alpha: float | None, strength: float, klein: Path, tmp_path: Path, engine_of: EngineOf
) -> None:
    from diffusers import Flux2KleinPipeline

    lora = write_lora(klein, tmp_path / "ink.safetensors", alpha=alpha)
    whole = fused(
        klein,
        lora,
        tmp_path / "whole",
        strength=strength,
        pipeline=Flux2KleinPipeline.from_pretrained(klein),
    )
    asked = job(steps=3)

    under = draw(adapted(engine_of(klein), lora, strength), asked).latents[asked.id]
    expected = draw(engine_of(whole), asked).latents[asked.id]
    without = draw(engine_of(klein), asked).latents[asked.id]

    assert torch.allclose(under, expected, atol=2e-3, rtol=1e-3)
    assert not torch.allclose(under, without, atol=0.1)


def test_a_base_draws_the_same_bytes_before_and_after_its_loras(engine: Flux2Engine, ink: Path) -> None:
    before = drawn(engine)

    changed = drawn(adapted(engine, ink))
    after = drawn(engine)

    assert before.image == after.image
    assert abs(pixels(changed) - pixels(after)).max() > 8
    assert not any(isinstance(layer, Adapted) for layer in engine.checkpoint.transformer.modules())


def test_jobs_of_a_base_and_of_two_loras_are_drawn_side_by_side_as_if_alone(
    klein: Path, engine: Flux2Engine, tmp_path: Path, ink: Path
) -> None:
    chalk = write_lora(klein, tmp_path / "chalk.safetensors", seed=8)
    engines = [engine, adapted(engine, ink), adapted(engine, chalk, 0.7)]
    asked = job()
    alone = [draw(one, asked).latents[asked.id] for one in engines]

    for one in engines:
        one.admit(asked)
    together = {}
    while not all(one.idle for one in engines):
        for number, one in enumerate(engines):
            for event in one.step():
                if isinstance(event, Denoised):
                    together[number] = event.latents

    for number, latents in enumerate(alone):
        assert torch.equal(together[number], latents)
    assert not torch.allclose(alone[1], alone[2], atol=0.1)


def test_the_weights_of_the_base_are_in_memory_once(engine: Flux2Engine, ink: Path) -> None:
    inked = adapted(engine, ink)

    assert inked.checkpoint.text is engine.checkpoint.text
    assert inked.checkpoint.decoder is engine.checkpoint.decoder
    assert inked.checkpoint.bytes == sum(tensor.nbytes for tensor in load_file(ink).values())


def test_the_picture_says_which_lora_it_was_drawn_with(engine: Flux2Engine, ink: Path) -> None:
    half = drawn(adapted(engine, ink, 0.5))
    full = drawn(adapted(engine, ink))

    assert read_metadata(half.image)["checkpoint"] == "tiny + ink × 0.5"
    assert read_metadata(full.image)["checkpoint"] == "tiny + ink"


def test_the_format_of_kohya_is_read_with_its_alpha(engine: Flux2Engine, tmp_path: Path) -> None:
    whole = write_kohya(tmp_path / "whole.safetensors", alpha=2.0)
    half = write_kohya(tmp_path / "half.safetensors", alpha=1.0)
    asked = job()

    of_half = draw(adapted(engine, half), asked).latents[asked.id]
    halved = draw(adapted(engine, whole, 0.5), asked).latents[asked.id]
    without = draw(engine, asked).latents[asked.id]

    assert torch.allclose(of_half, halved, atol=1e-4)
    assert not torch.allclose(of_half, without, atol=0.1)


def changed(path: Path, to: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, to)


def rename(tensors: dict[str, torch.Tensor], old: str, new: str) -> None:
    for name in list(tensors):
        tensors[name.replace(old, new)] = tensors.pop(name)


def lose_a_half(tensors: dict[str, torch.Tensor]) -> None:
    del tensors[next(name for name in tensors if "lora_B" in name)]


def spoil(tensors: dict[str, torch.Tensor]) -> None:
    next(iter(tensors.values())).fill_(float("nan"))


def widen(tensors: dict[str, torch.Tensor]) -> None:
    for name, tensor in tensors.items():
        if "lora_A" in name:
            tensors[name] = torch.cat([tensor, tensor], dim=1)


BROKEN = {
    "no safetensors": (lambda path, to: to.write_bytes(b"\x00" * 100), "lora: .+"),
    "cut short": (lambda path, to: to.write_bytes(path.read_bytes()[:-40]), "lora: .+"),
    "nothing in it": (lambda path, to: save_file({}, to), "lora: it is empty"),
    "not numbers": (lambda path, to: changed(path, to, spoil), "lora: .+ holds values that are not numbers"),
    "one half alone": (lambda path, to: changed(path, to, lose_a_half), "lora: .+ has no two halves"),
    "of a text encoder": (
        lambda path, to: changed(
            path, to, functools.partial(rename, old="transformer.", new="text_encoder.")
        ),
        "lora: text_encoder.+ is not of a FLUX.2 transformer",
    ),
    "of a deeper model": (
        lambda path, to: changed(path, to, functools.partial(rename, old="blocks.0", new="blocks.30")),
        r"lora: it changes .*blocks\.30\..+, which this transformer does not have",
    ),
    "of a wider model": (
        lambda path, to: changed(path, to, widen),
        "lora: it changes .+ from 64 to .+ features, which is 32 to .+ here",
    ),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_lora_that_cannot_be_used_is_one_clear_error_and_changes_nothing(
    kind: str, engine: Flux2Engine, ink: Path, tmp_path: Path
) -> None:
    damage, problem = BROKEN[kind]
    path = tmp_path / "broken.safetensors"
    damage(ink, path)

    with pytest.raises(BadCheckpoint, match=rf"broken\.safetensors: {problem}"):
        adapt(Source(lora=str(path)), engine)()

    assert not any(isinstance(layer, Adapted) for layer in engine.checkpoint.transformer.modules())
