"""Checkpoints of the published FLUX.2 families: their structure in full, in folders as they are published,
with few and narrow layers of random weights."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from transformers.processing_utils import ProcessorMixin

from .parts import WIDTH, qwen, tokenizer, transformer, vae

WORDS = ["a", "red", "green", "kite", "dog", "user", "assistant", "You", "are", "an", "AI", "image"]
MARKS = ["<pad>", "<unk>", "<s>", "</s>", "[INST]", "[/INST]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]", "[IMG]"]
QWEN_CHAT = (
    "{% for m in messages %}user {{ m['content'] }} {% endfor %}assistant"
    "{% if enable_thinking is defined and not enable_thinking %} a {% endif %}"
)
MISTRAL_CHAT = (
    "{{ bos_token }}{% for m in messages %}"
    "{{ '[SYSTEM_PROMPT]' if m['role'] == 'system' else '[INST]' }}"
    "{% for part in m['content'] %}{{ part['text'] }}{% endfor %}"
    "{{ '[/SYSTEM_PROMPT]' if m['role'] == 'system' else '[/INST]' }}{% endfor %}"
)


class PixtralProcessor(ProcessorMixin):
    """The half of the published processor that reads text; the other one needs torchvision."""

    def __init__(self, tokenizer: Any = None, chat_template: str | None = None) -> None:
        super().__init__(tokenizer, chat_template=chat_template)


def write_klein(folder: Path, *, distilled: bool) -> Path:
    """FLUX.2 klein 4B if it is distilled, else klein base 4B."""
    from diffusers import Flux2KleinPipeline

    torch.manual_seed(1)
    Flux2KleinPipeline(
        **_common(guidance_embeds=False),
        text_encoder=qwen(layers=28, vocabulary=64, tie_word_embeddings=True),
        tokenizer=_tokenizer(chat_template=QWEN_CHAT),
        is_distilled=distilled,
    ).save_pretrained(folder)
    return folder


def write_dev(folder: Path) -> Path:
    """FLUX.2 dev."""
    from diffusers import Flux2Pipeline

    torch.manual_seed(2)
    processor = PixtralProcessor(_tokenizer(padding_side="left"), chat_template=MISTRAL_CHAT)
    Flux2Pipeline(
        **_common(guidance_embeds=True), text_encoder=_mistral(), tokenizer=processor
    ).save_pretrained(folder)
    index = json.loads((folder / "model_index.json").read_text())
    index["tokenizer"] = ["transformers", "PixtralProcessor"]
    (folder / "model_index.json").write_text(json.dumps(index))
    return folder


WRITERS: Mapping[str, Callable[[Path], Path]] = {
    "klein-4b": lambda folder: write_klein(folder, distilled=True),
    "klein-base-4b": lambda folder: write_klein(folder, distilled=False),
    "dev": write_dev,
}


def _common(*, guidance_embeds: bool) -> dict[str, Any]:
    from diffusers import FlowMatchEulerDiscreteScheduler

    return {
        "transformer": transformer(
            spread=0.08,
            text_layers=3,
            in_channels=128,
            attention_head_dim=128,
            num_attention_heads=1,
            mlp_ratio=3.0,
            axes_dims_rope=(32, 32, 32, 32),
            rope_theta=2000,
            guidance_embeds=guidance_embeds,
        ),
        "vae": vae(block_out_channels=(8, 8, 8, 8), latent_channels=32, norm_num_groups=4),
        "scheduler": FlowMatchEulerDiscreteScheduler(
            shift=3.0, use_dynamic_shifting=True, time_shift_type="exponential"
        ),
    }


def _mistral() -> Any:
    from transformers import (
        Mistral3Config,
        Mistral3ForConditionalGeneration,
        MistralConfig,
        PixtralVisionConfig,
    )

    text = MistralConfig(
        vocab_size=64,
        hidden_size=WIDTH,
        intermediate_size=32,
        num_hidden_layers=31,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=8,
        sliding_window=None,
    )
    vision = PixtralVisionConfig(
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        head_dim=8,
        image_size=32,
        patch_size=16,
    )
    config = Mistral3Config(text_config=text.to_dict(), vision_config=vision.to_dict())
    return Mistral3ForConditionalGeneration(config).eval()


def _tokenizer(**options: Any) -> Any:
    return tokenizer(
        [*MARKS, *WORDS],
        bos_token="<s>",
        eos_token="</s>",
        additional_special_tokens=MARKS[4:],
        **options,
    )
