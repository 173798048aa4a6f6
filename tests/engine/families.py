"""Checkpoints of the published FLUX.2 families: their structure in full, in folders as they are published,
with few and narrow layers of random weights. And the stock pipelines on them."""

import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from transformers.processing_utils import ProcessorMixin

from tintype.engine.protocol import Job

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
WIDTH = 16
"""Of the text encoders."""


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
        text_encoder=_qwen(),
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


@dataclass(frozen=True)
class Stock:
    """What a stock pipeline draws."""

    steps: list[torch.Tensor]
    """(tokens, channels) after each step."""
    picture: np.ndarray[Any, Any]
    """(height, width, 3), 0 … 1."""


def stock(folder: Path, asked: Job, *, dtype: torch.dtype = torch.float32) -> Stock:
    """By the pipeline that the folder names, from the noise of our seed contract."""
    pipeline = _pipeline(folder, dtype)
    pipeline.set_progress_bar_config(disable=True)
    steps: list[torch.Tensor] = []

    def keep(_pipe: Any, _step: int, _time: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        steps.append(tensors["latents"][0].float().clone())
        return {}

    drawn = pipeline(
        image=[Image.open(io.BytesIO(file)) for file in asked.images] or None,
        prompt=asked.prompt,
        width=asked.width,
        height=asked.height,
        num_inference_steps=asked.steps,
        guidance_scale=asked.guidance,
        generator=torch.Generator("cpu").manual_seed(asked.seed),
        callback_on_step_end=keep,
        output_type="np",
    )
    return Stock(steps, drawn.images[0])


def _pipeline(folder: Path, dtype: torch.dtype) -> Any:
    from diffusers import (
        AutoencoderKLFlux2,
        FlowMatchEulerDiscreteScheduler,
        Flux2KleinPipeline,
        Flux2Pipeline,
        Flux2Transformer2DModel,
    )
    from transformers import AutoTokenizer, Mistral3ForConditionalGeneration

    index = json.loads((folder / "model_index.json").read_text())
    if index["_class_name"] == "Flux2KleinPipeline":
        return Flux2KleinPipeline.from_pretrained(folder, dtype=dtype)
    tokenizer = AutoTokenizer.from_pretrained(folder / "tokenizer")
    return Flux2Pipeline(
        transformer=Flux2Transformer2DModel.from_pretrained(folder / "transformer", dtype=dtype),
        vae=AutoencoderKLFlux2.from_pretrained(folder / "vae", dtype=dtype),
        text_encoder=Mistral3ForConditionalGeneration.from_pretrained(folder / "text_encoder", dtype=dtype),
        scheduler=FlowMatchEulerDiscreteScheduler.from_pretrained(folder / "scheduler"),
        tokenizer=PixtralProcessor(tokenizer, chat_template=tokenizer.chat_template),
    )


def _common(*, guidance_embeds: bool) -> dict[str, Any]:
    from diffusers import AutoencoderKLFlux2, FlowMatchEulerDiscreteScheduler, Flux2Transformer2DModel

    transformer = Flux2Transformer2DModel(
        patch_size=1,
        in_channels=128,
        num_layers=1,
        num_single_layers=2,
        attention_head_dim=128,
        num_attention_heads=1,
        joint_attention_dim=3 * WIDTH,
        mlp_ratio=3.0,
        axes_dims_rope=(32, 32, 32, 32),
        rope_theta=2000,
        guidance_embeds=guidance_embeds,
    )
    for parameter in transformer.parameters():
        torch.nn.init.normal_(parameter, std=0.08)
    vae = AutoencoderKLFlux2(
        block_out_channels=(8, 8, 8, 8), layers_per_block=1, latent_channels=32, norm_num_groups=4
    )
    vae.bn.running_mean.normal_()
    vae.bn.running_var.uniform_(0.5, 2.0)
    scheduler = FlowMatchEulerDiscreteScheduler(
        shift=3.0, use_dynamic_shifting=True, time_shift_type="exponential"
    )
    return {"transformer": transformer.eval(), "vae": vae.eval(), "scheduler": scheduler}


def _qwen() -> Any:
    from transformers import Qwen3Config, Qwen3ForCausalLM

    config = Qwen3Config(
        vocab_size=64,
        hidden_size=WIDTH,
        intermediate_size=32,
        num_hidden_layers=28,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=8,
        tie_word_embeddings=True,
        pad_token_id=0,
        bos_token_id=None,
        eos_token_id=None,
    )
    return Qwen3ForCausalLM(config).eval()


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
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    vocabulary = {word: index for index, word in enumerate([*MARKS, *WORDS])}
    words = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(
        tokenizer_object=words,
        pad_token="<pad>",
        unk_token="<unk>",
        bos_token="<s>",
        eos_token="</s>",
        additional_special_tokens=MARKS[4:],
        **options,
    )
