"""Tiny FLUX.2 checkpoints with random weights, written by diffusers and transformers themselves."""

import shutil
from pathlib import Path
from typing import Any

import torch

from .parts import qwen, tokenizer, transformer, vae

WORDS = ["a", "red", "green", "blue", "kite", "dog", "on", "the", "moon", "two", "cats", "user", "assistant"]
CHAT = "{% for m in messages %}user {{ m['content'] }} {% endfor %}assistant"
LAYERS = (1, 2, 3)
LENGTH = 16
SIDECAR = f"[text]\nlayers = {list(LAYERS)}\nmax_length = {LENGTH}\n"


def write_checkpoint(
    folder: Path,
    *,
    dynamic_shift: bool = False,
    distilled: bool = False,
    guidance_embeds: bool = False,
    vae_levels: int = 4,
    sidecar: str = "",
) -> Path:
    """A checkpoint in the format of FLUX.2 klein; a token is 2 ** vae_levels pixels wide."""
    pipeline(
        dynamic_shift=dynamic_shift,
        distilled=distilled,
        guidance_embeds=guidance_embeds,
        vae_levels=vae_levels,
    ).save_pretrained(folder)
    (folder / "tintype.toml").write_text(SIDECAR + sidecar)
    return folder


def variant(folder: Path, to: Path) -> Path:
    """The same checkpoint with another transformer."""
    from safetensors.torch import load_file, save_file

    shutil.copytree(folder, to)
    file = to / "transformer" / "diffusion_pytorch_model.safetensors"
    torch.manual_seed(len(str(to.name)))
    save_file({name: torch.randn_like(tensor) / 5 for name, tensor in load_file(file).items()}, file)
    return to


def pipeline(*, dynamic_shift: bool, distilled: bool, guidance_embeds: bool, vae_levels: int) -> Any:
    """The stock pipeline over tiny random models; always the same ones."""
    from diffusers import FlowMatchEulerDiscreteScheduler, Flux2KleinPipeline

    torch.manual_seed(0)
    return Flux2KleinPipeline(
        text_encoder=qwen(layers=4, vocabulary=32),
        transformer=transformer(
            spread=0.2,
            text_layers=len(LAYERS),
            in_channels=16,
            attention_head_dim=16,
            num_attention_heads=2,
            axes_dims_rope=(4, 4, 4, 4),
            guidance_embeds=guidance_embeds,
        ),
        vae=vae(
            down_block_types=("DownEncoderBlock2D",) * vae_levels,
            up_block_types=("UpDecoderBlock2D",) * vae_levels,
            block_out_channels=(8,) * vae_levels,
            latent_channels=4,
            norm_num_groups=1,
            mid_block_add_attention=False,
        ),
        tokenizer=tokenizer(["<pad>", "<unk>", *WORDS], chat_template=CHAT),
        scheduler=FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=dynamic_shift, shift=1.5),
        is_distilled=distilled,
    )
