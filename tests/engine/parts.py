"""Tiny parts of FLUX.2 checkpoints with random weights, made by diffusers and transformers themselves."""

from collections.abc import Sequence
from typing import Any

import torch

WIDTH = 16
"""Of the text encoders."""


def tokenizer(vocabulary: Sequence[str], **options: Any) -> Any:
    """Of whole words, which knows only these."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    numbers = {word: number for number, word in enumerate(vocabulary)}
    words = Tokenizer(models.WordLevel(numbers, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=words, pad_token="<pad>", unk_token="<unk>", **options)


def qwen(*, layers: int, vocabulary: int, **options: Any) -> Any:
    """The text encoder of FLUX.2 klein."""
    from transformers import Qwen3Config, Qwen3ForCausalLM

    config = Qwen3Config(
        vocab_size=vocabulary,
        hidden_size=WIDTH,
        intermediate_size=32,
        num_hidden_layers=layers,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=8,
        pad_token_id=0,
        bos_token_id=None,
        eos_token_id=None,
        **options,
    )
    return Qwen3ForCausalLM(config).eval()


def transformer(*, spread: float, text_layers: int, **options: Any) -> Any:
    """One that is conditioned on so many layers of a text encoder, its weights spread about 0."""
    from diffusers import Flux2Transformer2DModel

    made = Flux2Transformer2DModel(
        patch_size=1,
        num_layers=1,
        num_single_layers=2,
        joint_attention_dim=text_layers * WIDTH,
        **options,
    )
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=spread)
    return made.eval()


def vae(**options: Any) -> Any:
    """One whose latents are normalised by random statistics."""
    from diffusers import AutoencoderKLFlux2

    made = AutoencoderKLFlux2(layers_per_block=1, **options)
    made.bn.running_mean.normal_()
    made.bn.running_var.uniform_(0.5, 2.0)
    return made.eval()
