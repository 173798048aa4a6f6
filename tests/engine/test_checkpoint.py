"""Every way a checkpoint can be broken is one clear line."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tintype.domain.errors import BadCheckpoint
from tintype.domain.placement import Placement
from tintype.engine.flux2.load import load_engine

from .drawing import ON_CPU

Damage = Callable[[Path], object]


def edit_json(file: Path, **changes: object) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-100])


WEIGHTS = "diffusion_pytorch_model.safetensors"

DAMAGES: dict[str, tuple[Damage, str]] = {
    "empty folder": (
        lambda f: [shutil.rmtree(f), f.mkdir()],
        "model_index.json: is missing; a folder in FLUX.2 format has one",
    ),
    "index is not JSON": (
        lambda f: (f / "model_index.json").write_text("{"),
        "model_index.json: Expecting",
    ),
    "another pipeline": (
        lambda f: edit_json(f / "model_index.json", _class_name="StableDiffusionPipeline"),
        "StableDiffusionPipeline is not a FLUX.2 pipeline",
    ),
    "no class": (
        lambda f: (f / "model_index.json").write_text("{}"),
        "model_index.json: '_class_name' is missing",
    ),
    "no transformer": (lambda f: shutil.rmtree(f / "transformer"), "transformer: config.json is missing"),
    "no transformer weights": (
        lambda f: (f / "transformer" / WEIGHTS).unlink(),
        f"transformer: {WEIGHTS} is missing",
    ),
    "weights cut short": (
        lambda f: truncate(f / "transformer" / WEIGHTS),
        f"transformer: {WEIGHTS} is damaged or cut short",
    ),
    "another transformer": (
        lambda f: edit_json(f / "transformer" / "config.json", _class_name="FluxTransformer2DModel"),
        "transformer: holds a FluxTransformer2DModel, where a Flux2Transformer2DModel is needed",
    ),
    "a shard that is not there": (
        lambda f: (f / "transformer" / f"{WEIGHTS}.index.json").write_text(
            '{"weight_map": {"x_embedder.weight": "part-2.safetensors"}}'
        ),
        "transformer: part-2.safetensors is missing",
    ),
    "weights quantised in a way of their own": (
        lambda f: edit_json(f / "transformer" / "config.json", quantization_config={"quant_method": "gguf"}),
        "transformer: is quantised by gguf; served are torchao and bitsandbytes",
    ),
    "weights of another shape": (
        lambda f: edit_json(f / "transformer" / "config.json", num_attention_heads=4),
        "transformer: .*size mismatch",
    ),
    "weights that lack a layer": (
        lambda f: edit_json(f / "transformer" / "config.json", num_single_layers=3),
        "transformer: weights lack single_transformer_blocks.2",
    ),
    "weights with a layer too many": (
        lambda f: edit_json(f / "transformer" / "config.json", num_single_layers=1),
        "transformer: weights hold unknown single_transformer_blocks.1",
    ),
    "no vae": (lambda f: shutil.rmtree(f / "vae"), "vae: config.json is missing"),
    "vae cut short": (lambda f: truncate(f / "vae" / WEIGHTS), "vae: .*damaged or cut short"),
    "no text encoder": (lambda f: shutil.rmtree(f / "text_encoder"), "text_encoder: config.json is missing"),
    "text encoder cut short": (
        lambda f: truncate(f / "text_encoder" / "model.safetensors"),
        "text_encoder: model.safetensors is damaged or cut short",
    ),
    "no tokenizer": (
        lambda f: shutil.rmtree(f / "tokenizer"),
        "tokenizer: tokenizer_config.json is missing",
    ),
    "no scheduler": (lambda f: shutil.rmtree(f / "scheduler"), "scheduler: scheduler_config.json is missing"),
    "another schedule": (
        lambda f: edit_json(f / "scheduler" / "scheduler_config.json", use_beta_sigmas=True),
        "scheduler: scheduler option use_beta_sigmas is not supported",
    ),
    "sidecar is not TOML": (
        lambda f: (f / "tintype.toml").write_text("name ="),
        "sidecar: tintype.toml: ",
    ),
    "sidecar with a misspelt key": (
        lambda f: (f / "tintype.toml").write_text("nmae = 'x'"),
        "sidecar: tintype.toml: .*nmae",
    ),
    "sidecar with a wrong token": (
        lambda f: (f / "tintype.toml").write_text("[canvas]\ntoken = 64"),
        "sidecar: token is 64 but the vae draws 16",
    ),
    "sidecar with an impossible canvas": (
        lambda f: (f / "tintype.toml").write_text("[canvas]\nnative = [[64, 40]]"),
        "sidecar: native size 64x40 is not a multiple of 16",
    ),
    "layers the encoder does not have": (
        lambda f: (f / "tintype.toml").write_text("[text]\nlayers = [9, 18, 27]"),
        "text_encoder: layer 27 is used of an encoder with 4 layers",
    ),
    "embeddings that do not fit": (
        lambda f: (f / "tintype.toml").write_text("[text]\nlayers = [1]"),
        "text_encoder: its embeddings do not fit the transformer",
    ),
    "something fixed that cannot be": (
        lambda f: (f / "tintype.toml").write_text("[fixed]\nsteps = 0"),
        "sidecar: tintype.toml: .*>= 1",
    ),
    "no text layer": (
        lambda f: (f / "tintype.toml").write_text("[text]\nlayers = []"),
        "sidecar: tintype.toml: ",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_broken_checkpoint_is_one_clear_line(klein: Path, tmp_path: Path, damage: str) -> None:
    folder = tmp_path / "broken"
    shutil.copytree(klein, folder)
    do, says = DAMAGES[damage]
    do(folder)

    with pytest.raises(BadCheckpoint, match=says) as refusal:
        load_engine(str(folder), wanted=ON_CPU, threads=1, places=0)

    assert str(refusal.value).startswith(f"{folder}: ")
    assert "\n" not in str(refusal.value)


def test_a_folder_that_is_not_there_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(BadCheckpoint, match=r"nowhere: there is no such folder; right is .* a hub id"):
        load_engine(str(tmp_path / "nowhere"), wanted=ON_CPU, threads=1, places=0)


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    file = tmp_path / "flux2-dev.safetensors"
    file.write_bytes(b"")

    with pytest.raises(BadCheckpoint, match=r"flux2-dev\.safetensors: is a file; right is a folder"):
        load_engine(str(file), wanted=ON_CPU, threads=1, places=0)


def test_a_hub_id_that_cannot_be_had_is_one_clear_line() -> None:
    with pytest.raises(
        BadCheckpoint, match=r"nobody/nothing: download: .*not in the cache.*OFFLINE"
    ) as refusal:
        load_engine("nobody/nothing", wanted=ON_CPU, threads=1, places=0)

    assert "\n" not in str(refusal.value)


def test_weights_that_do_not_fit_are_one_clear_line(klein: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 64.00 GiB.\nGPU 0 …")

    monkeypatch.setattr("tintype.engine.flux2.weights.load_file", full)

    with pytest.raises(BadCheckpoint, match="transformer: does not fit into memory; docs"):
        load_engine(str(klein), wanted=ON_CPU, threads=1, places=0)


def test_a_device_that_is_not_there_is_one_clear_line(klein: Path) -> None:
    with pytest.raises(BadCheckpoint, match="there is no device cuda:99 here; right is auto, cpu"):
        load_engine(str(klein), wanted=Placement(device="cuda:99"), threads=1, places=0)


def test_weights_in_shards_are_read_whole(klein: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = tmp_path / "sharded"
    shutil.copytree(klein, folder)
    transformer = folder / "transformer"
    tensors = load_file(transformer / WEIGHTS)
    shards = {name: f"part-{number % 2}.safetensors" for number, name in enumerate(tensors)}
    for shard in set(shards.values()):
        save_file({n: t for n, t in tensors.items() if shards[n] == shard}, transformer / shard)
    (transformer / WEIGHTS).unlink()
    index = transformer / f"{WEIGHTS}.index.json"
    index.write_text(json.dumps({"weight_map": shards}))

    engine = load_engine(str(folder), wanted=ON_CPU, threads=1, places=0)

    assert engine.ready().device == "cpu"


def test_weights_in_half_precision_are_drawn_with_in_full(klein: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = tmp_path / "half"
    shutil.copytree(klein, folder)
    file = folder / "transformer" / WEIGHTS
    save_file({name: tensor.half() for name, tensor in load_file(file).items()}, file)

    engine = load_engine(str(folder), wanted=ON_CPU, threads=1, places=0)

    dtypes = {p.dtype for p in engine._checkpoint.transformer.parameters()}  # type: ignore[attr-defined]
    assert dtypes == {torch.float32}


def test_a_checkpoint_is_named_by_its_sidecar_or_else_its_folder(klein: Path, tmp_path: Path) -> None:
    folder = tmp_path / "named"
    shutil.copytree(klein, folder)
    sidecar = folder / "tintype.toml"
    sidecar.write_text('name = "pictograms"\n' + sidecar.read_text())

    names = [
        load_engine(str(path), wanted=ON_CPU, threads=1, places=0).ready().checkpoint
        for path in (klein, folder)
    ]

    assert names == ["tiny", "pictograms"]
