"""LoRA files for tiny checkpoints, in the formats of several trainers."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

RANK = 2


def transformer_of(folder: Path) -> Any:
    from diffusers import Flux2Transformer2DModel

    return Flux2Transformer2DModel.from_pretrained(folder / "transformer")


def write_lora(folder: Path, path: Path, *, seed: int = 7, alpha: float | None = None) -> Path:
    """Made by PEFT on the checkpoint's transformer, saved by diffusers: its attention, changed at random."""
    from diffusers import Flux2KleinPipeline
    from peft import LoraConfig
    from peft.utils import get_peft_model_state_dict

    transformer = transformer_of(folder)
    config = LoraConfig(
        r=RANK, lora_alpha=alpha or RANK, target_modules=["to_q", "to_k", "to_v", "to_qkv_mlp_proj"]
    )
    transformer.add_adapter(config)
    torch.manual_seed(seed)
    state = {
        name: torch.randn_like(tensor) for name, tensor in get_peft_model_state_dict(transformer).items()
    }
    Flux2KleinPipeline.save_lora_weights(
        path.parent,
        transformer_lora_layers=state,
        weight_name=path.name,
        transformer_lora_adapter_metadata=config.to_dict() if alpha else None,
    )
    return path


def write_kohya(path: Path, *, seed: int = 7, alpha: float = 1.0) -> Path:
    """As kohya's trainer saves it, of one single block."""
    torch.manual_seed(seed)
    name = "lora_unet_single_blocks_0_linear2"
    tensors = {
        f"{name}.lora_down.weight": torch.randn(RANK, 128),
        f"{name}.lora_up.weight": torch.randn(32, RANK),
        f"{name}.alpha": torch.tensor(alpha),
    }
    save_file(tensors, path)
    return path


def fused(folder: Path, lora: Path, to: Path, *, strength: float, pipeline: Any) -> Path:
    """A checkpoint of its own, with the LoRA in its weights, by PEFT."""
    pipeline.load_lora_weights(str(lora), adapter_name="it")
    pipeline.fuse_lora(lora_scale=strength, adapter_names=["it"])
    pipeline.unload_lora_weights()
    pipeline.save_pretrained(to)
    (to / "tintype.toml").write_text((folder / "tintype.toml").read_text())
    return to


def metadata_of(path: Path) -> dict[str, Any]:
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        return {
            name: json.loads(value) for name, value in (file.metadata() or {}).items() if value[:1] == "{"
        }
