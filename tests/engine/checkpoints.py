"""Tiny FLUX.2 checkpoints with random weights, written by diffusers and transformers themselves."""

import shutil
from pathlib import Path
from typing import Any

import torch

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
    from diffusers import (
        AutoencoderKLFlux2,
        FlowMatchEulerDiscreteScheduler,
        Flux2KleinPipeline,
        Flux2Transformer2DModel,
    )

    torch.manual_seed(0)
    encoder = text_encoder()
    transformer = Flux2Transformer2DModel(
        patch_size=1,
        in_channels=16,
        num_layers=1,
        num_single_layers=2,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=len(LAYERS) * encoder.config.hidden_size,
        axes_dims_rope=(4, 4, 4, 4),
        guidance_embeds=guidance_embeds,
    )
    for parameter in transformer.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    vae = AutoencoderKLFlux2(
        down_block_types=("DownEncoderBlock2D",) * vae_levels,
        up_block_types=("UpDecoderBlock2D",) * vae_levels,
        block_out_channels=(8,) * vae_levels,
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=1,
        mid_block_add_attention=False,
    )
    vae.bn.running_mean.normal_()
    vae.bn.running_var.uniform_(0.5, 2.0)
    return Flux2KleinPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=dynamic_shift, shift=1.5),
        vae=vae.eval(),
        text_encoder=encoder,
        tokenizer=tokenizer(),
        transformer=transformer.eval(),
        is_distilled=distilled,
    )


def text_encoder() -> Any:
    from transformers import Qwen3Config, Qwen3ForCausalLM

    config = Qwen3Config(
        vocab_size=32,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=4,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=8,
        pad_token_id=0,
        bos_token_id=None,
        eos_token_id=None,
    )
    return Qwen3ForCausalLM(config).eval()


def tokenizer() -> Any:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    vocabulary = {word: index for index, word in enumerate(["<pad>", "<unk>", *WORDS])}
    words = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(
        tokenizer_object=words,
        pad_token="<pad>",
        unk_token="<unk>",
        chat_template=CHAT,
    )
