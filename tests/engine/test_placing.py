"""Number formats, fewer bits, and layers that wait in main memory."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tintype.domain.errors import BadCheckpoint
from tintype.domain.placement import Dtype, Offload, Placement, Quantisation
from tintype.engine.flux2 import placing, quantising
from tintype.engine.flux2.checkpoint import open_checkpoint
from tintype.engine.flux2.encoder import load_encoder
from tintype.engine.flux2.engine import Flux2Engine
from tintype.engine.flux2.load import expected_bytes, load_engine
from tintype.engine.flux2.offloading import offload_layers
from tintype.engine.flux2.placing import Placed

from .checkpoints import LAYERS
from .drawing import ON_CPU, draw, open_engine
from .families import write_dev, write_klein
from .jobs import job

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_klein(tmp_path_factory.mktemp("small") / "klein", distilled=False)


def latents(engine: Flux2Engine) -> torch.Tensor:
    asked = job(steps=3)
    return draw(engine, asked).latents[asked.id]


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        ({"device": "abacus"}, "there is no device abacus here; right is auto, cpu"),
        ({"offload": Offload.TEXT}, "offload=text needs a cuda device, not cpu; right is none"),
        ({"quantisation": Quantisation.NF4}, "quantisation=nf4 needs a device of cuda, not cpu"),
    ],
)
def test_what_a_device_cannot_do_is_one_clear_line(small: Path, wanted: dict[str, Any], says: str) -> None:
    with pytest.raises(BadCheckpoint) as refusal:
        load_engine(str(small), wanted=replace(ON_CPU, **wanted), threads=1, places=0)

    assert str(refusal.value).startswith(f"{small}: {says}")
    assert "\n" not in str(refusal.value)


def test_four_bits_and_offloading_everything_exclude_each_other() -> None:
    with pytest.raises(ValueError, match="nf4 cannot be offloaded; right is int8 or none"):
        placing.demand_offload(Offload.ALL, Quantisation.NF4, torch.device("cuda"))


def test_a_library_that_is_not_installed_is_named_with_its_extra(
    small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quantising, "find_spec", lambda name: None if name == "torchao" else object())

    with pytest.raises(BadCheckpoint, match=r"int8 needs torchao: pip install 'tintype\[gpu\]'"):
        open_engine(small, quantisation=Quantisation.INT8)


def test_gpus_of_before_2020_compute_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (7, 5))
    old = torch.device("cuda")

    assert placing._dtype(Dtype.AUTO, old) is torch.float32
    with pytest.raises(ValueError, match="cuda does not compute in bfloat16; right is dtype=float32"):
        placing._dtype(Dtype.BFLOAT16, old)


def test_cpus_compute_in_float32_unless_told_otherwise() -> None:
    assert placing.place(Placement(device="cpu")).dtype is torch.float32
    assert placing.place(Placement(device="cpu", dtype=Dtype.BFLOAT16)).dtype is torch.bfloat16


@pytest.mark.parametrize("dtype", [Dtype.FLOAT32, Dtype.BFLOAT16])
def test_eight_bits_draw_nearly_the_same(small: Path, dtype: Dtype) -> None:
    exact = latents(open_engine(small, dtype=dtype))

    engine = open_engine(small, dtype=dtype, quantisation=Quantisation.INT8)
    ours = latents(engine)

    checkpoint = engine._checkpoint
    blocks = checkpoint.transformer.single_transformer_blocks
    assert type(blocks[0].attn.to_out.weight).__name__ == "Int8Tensor"
    assert type(checkpoint.transformer.x_embedder.weight) is torch.nn.Parameter
    assert type(checkpoint.text._encoder.layers[0].mlp.up_proj.weight).__name__ == "Int8Tensor"
    assert 0 < (ours - exact).abs().mean() < 0.1 * exact.std()


def test_eight_bits_weigh_less_and_as_much_as_was_expected(small: Path) -> None:
    wanted = Placement(device="cpu", dtype=Dtype.BFLOAT16, quantisation=Quantisation.INT8)

    whole = open_engine(small, dtype=Dtype.BFLOAT16)._checkpoint.bytes
    quantised = open_engine(small, dtype=Dtype.BFLOAT16, quantisation=Quantisation.INT8)._checkpoint.bytes

    assert quantised < 0.8 * whole
    assert expected_bytes(str(small), wanted) == pytest.approx(quantised, rel=0.15)


def test_a_text_encoder_is_read_in_four_bits(small: Path) -> None:
    from bitsandbytes.functional import dequantize_4bit

    layers = (9, 18, 27)
    whole = load_encoder(small / "text_encoder", layers, Placed(device=CPU, dtype=torch.float32))
    placed = Placed(device=CPU, dtype=torch.float32, quantisation=Quantisation.NF4)

    encoder = load_encoder(small / "text_encoder", layers, placed)

    weight, exact = (each.layers[0].mlp.up_proj.weight for each in (encoder, whole))
    assert type(weight).__name__ == "Params4bit"
    assert weight.numel() == exact.numel() // 2
    rounded = dequantize_4bit(weight.data, weight.quant_state)
    assert 0 < (rounded - exact).abs().mean() < 0.2 * exact.std()


def test_what_is_quantised_already_is_read_as_it_is(small: Path, tmp_path: Path) -> None:
    import shutil

    quantised = open_checkpoint(
        str(small), Placed(device=CPU, dtype=torch.bfloat16, quantisation=Quantisation.INT8)
    )
    folder = tmp_path / "already"
    shutil.copytree(small, folder)
    shutil.rmtree(folder / "transformer")
    quantised.transformer.save_pretrained(folder / "transformer")

    engine = open_engine(folder, dtype=Dtype.BFLOAT16)

    block = engine._checkpoint.transformer.single_transformer_blocks[0]
    assert type(block.attn.to_out.weight).__name__ == "Int8Tensor"
    expected = quantised.transformer.single_transformer_blocks[0].attn.to_out.weight.dequantize()
    assert torch.equal(block.attn.to_out.weight.dequantize(), expected)


def test_a_picture_depends_on_its_numbers_and_not_on_where_they_wait() -> None:
    gpu = {"device": torch.device("cuda", 1), "dtype": torch.bfloat16}

    eight, eight_offloaded, four, four_offloaded = (
        Placed(**gpu, offload=offload, quantisation=quantisation).arithmetic
        for quantisation in (Quantisation.INT8, Quantisation.NF4)
        for offload in (Offload.NONE, Offload.TEXT)
    )

    assert eight == eight_offloaded == {"device": "cuda", "dtype": "bfloat16", "quantisation": "int8"}
    assert four["quantisation"] == four_offloaded["quantisation"] == "nf4"
    assert four_offloaded["textQuantisation"] == "none"
    assert "textQuantisation" not in four


def test_four_bits_are_for_what_is_not_offloaded() -> None:
    gpu = torch.device("cuda")

    text = Placed(device=gpu, dtype=torch.bfloat16, offload=Offload.TEXT, quantisation=Quantisation.NF4)
    everything = Placed(device=gpu, dtype=torch.bfloat16, offload=Offload.ALL, quantisation=Quantisation.INT8)

    assert (text.home_of_text, text.text_quantisation) == (CPU, Quantisation.NONE)
    assert (text.home_of_transformer, text.offloads_transformer) == (gpu, False)
    assert (everything.home_of_transformer, everything.text_quantisation) == (CPU, Quantisation.INT8)


@pytest.mark.parametrize("quantisation", [Quantisation.NONE, Quantisation.INT8])
@pytest.mark.parametrize("write", [lambda f: write_klein(f, distilled=False), write_dev])
def test_offloaded_layers_draw_the_same(
    write: Callable[[Path], Path], quantisation: Quantisation, tmp_path: Path
) -> None:
    folder = write(tmp_path / "small")
    expected = latents(open_engine(folder, quantisation=quantisation))

    engine = open_engine(folder, quantisation=quantisation)
    checkpoint = engine._checkpoint
    for module in (checkpoint.transformer, checkpoint.text._encoder):
        offload_layers(module, CPU)
    ours = latents(engine)

    assert hasattr(checkpoint.transformer.single_transformer_blocks[0], "_diffusers_hook")
    assert hasattr(checkpoint.text._encoder.layers[0], "_diffusers_hook")
    assert torch.equal(ours, expected)


def test_layers_of_a_checkpoint_with_a_sidecar_are_cut_as_well(klein: Path) -> None:
    encoder = open_engine(klein)._checkpoint.text._encoder

    assert len(encoder.layers) == max(LAYERS)
