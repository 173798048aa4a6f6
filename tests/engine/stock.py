"""What the stock pipelines draw."""

import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from tintype.engine.protocol import Job

from .checkpoints import LAYERS, LENGTH
from .families import PixtralProcessor


@dataclass(frozen=True)
class Stock:
    """What a stock pipeline draws."""

    steps: list[torch.Tensor]
    """(tokens, channels) after each step."""
    picture: np.ndarray[Any, Any]
    """(height, width, 3), 0 … 1."""


def stock(folder: Path, asked: Job, *, dtype: torch.dtype = torch.float32) -> Stock:
    """By the pipeline that the folder names."""
    steps, pictures = drawn_by(_pipeline(folder, dtype), asked, output_type="np")
    return Stock([step.float() for step in steps], pictures[0])


def stock_latents(folder: Path, asked: Job) -> torch.Tensor:
    """What the stock pipeline of a tiny checkpoint ends with, (tokens, channels)."""
    from diffusers import Flux2KleinPipeline

    pipeline = Flux2KleinPipeline.from_pretrained(folder)
    steps, _ = drawn_by(pipeline, asked, max_sequence_length=LENGTH, text_encoder_out_layers=LAYERS)
    return steps[-1]


def drawn_by(pipeline: Any, asked: Job, **options: Any) -> tuple[list[torch.Tensor], Any]:
    """From the noise of our seed contract: latents after each step, (tokens, channels), and the pictures."""
    pipeline.set_progress_bar_config(disable=True)
    steps: list[torch.Tensor] = []

    def keep(_pipe: Any, _step: int, _time: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        steps.append(tensors["latents"][0].clone())
        return {}

    given = {
        "image": [Image.open(io.BytesIO(file)) for file in asked.images] or None,
        "prompt": asked.prompt,
        "width": asked.width,
        "height": asked.height,
        "num_inference_steps": asked.steps,
        "guidance_scale": asked.guidance,
        "generator": torch.Generator("cpu").manual_seed(asked.seed),
        "output_type": "latent",
    }
    drawn = pipeline(**given | options, callback_on_step_end=keep)
    return steps, drawn.images


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
