"""Prompts in, embeddings out: as the stock FLUX.2 pipelines compute them, without what they throw away.

The encoder is loaded up to the last layer whose output is used; no language-model head, no logits.
"""

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from tintype.domain.prompt import LONGEST_READ
from tintype.engine.flux2.remembered import Remembered
from tintype.engine.flux2.sidecar import Text

Tokenize = Callable[[str], Mapping[str, Tensor]]

CACHE_BYTES = 256 * 2**20


class TextEncoder:
    """Embeds one prompt at a time, so that an embedding never depends on its neighbours. For any thread:
    what is remembered is there at once, even while another prompt is being encoded."""

    def __init__(
        self, *, encoder: Any, tokenize: Tokenize, layers: tuple[int, ...], cache_bytes: int = CACHE_BYTES
    ) -> None:
        self._encoder = encoder
        self._tokenize = tokenize
        self._layers = layers
        self._remembered = Remembered[Tensor](cache_bytes)
        self._encoding = threading.Lock()
        self.empty = self._encode("")
        """The embedding of the empty prompt, (length, dimensions)."""

    def embed(self, prompt: str) -> Tensor:
        """(length, dimensions), in the encoder's dtype and on its device; remembered by prompt."""
        known = self.known(prompt)
        if known is not None:
            return known
        prompt = prompt[:LONGEST_READ]  # the rest would be cut off, too, but only after it had been split
        with self._encoding:
            return self._remembered.get(prompt, lambda: self._encode(prompt))

    def known(self, prompt: str) -> Tensor | None:
        """The prompt's embedding, if it needs no work."""
        return self._remembered.known(prompt[:LONGEST_READ]) if prompt else self.empty

    def forget(self) -> None:
        """What could be computed again."""
        self._remembered.forget()

    @torch.inference_mode()
    def _encode(self, prompt: str) -> Tensor:
        inputs = self._tokenize(prompt)
        output = self._encoder(
            input_ids=inputs["input_ids"].to(self._encoder.device),
            attention_mask=inputs["attention_mask"].to(self._encoder.device),
            output_hidden_states=True,
        )
        states = [output.hidden_states[layer][0] for layer in self._layers]
        return torch.cat(states, dim=-1)


def load_encoder(folder: Path, layers: tuple[int, ...], *, device: torch.device, dtype: torch.dtype) -> Any:
    """The transformers model of the folder, up to the deepest of the layers.

    Raises `OSError` or `ValueError` for missing or damaged files.
    """
    from transformers import AutoConfig, AutoModel

    config = AutoConfig.from_pretrained(folder, local_files_only=True)
    stack_config = getattr(config, "text_config", config)
    depth, deepest = stack_config.num_hidden_layers, max(layers)
    if deepest > depth:
        raise ValueError(f"layer {deepest} is used of an encoder with {depth} layers")
    stack_config.num_hidden_layers = deepest
    if getattr(stack_config, "layer_types", None):
        stack_config.layer_types = stack_config.layer_types[:deepest]
    if hasattr(stack_config, "use_cache"):
        stack_config.use_cache = False
    # What BERT says about a whole text is not used, and not in the files.
    options = {"add_pooling_layer": False} if config.model_type == "bert" else {}
    model, loaded = AutoModel.from_pretrained(
        folder, config=config, dtype=dtype, local_files_only=True, output_loading_info=True, **options
    )
    if missing := sorted(loaded["missing_keys"]):
        raise ValueError(f"weights lack {missing[0]}")
    stack = getattr(model, "language_model", model)
    if deepest < depth and hasattr(stack, "norm"):
        # The last hidden state is the only normalised one, and here it was an inner one.
        stack.norm = nn.Identity()
    return model.to(device).requires_grad_(False).eval()


def klein_tokenize(folder: Path, text: Text) -> Tokenize:
    """As `Flux2KleinPipeline`: the prompt as a user's message, padded to the full length."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)

    def tokenize(prompt: str) -> Mapping[str, Tensor]:
        message = tokenizer.apply_chat_template(
            [{"role": "user", "content": prompt}],
            tokenize=False,
            add_generation_prompt=True,
            enable_thinking=False,
        )
        inputs: Mapping[str, Tensor] = tokenizer(
            message,
            return_tensors="pt",
            padding="max_length",
            truncation=True,
            max_length=text.max_length,
        )
        return inputs

    return tokenize


def dev_tokenize(folder: Path, text: Text) -> Tokenize:
    """As `Flux2Pipeline`: a fixed system message, then the prompt without image marks."""
    from diffusers.pipelines.flux2.system_messages import SYSTEM_MESSAGE
    from transformers import AutoProcessor

    processor = AutoProcessor.from_pretrained(folder, local_files_only=True)

    def tokenize(prompt: str) -> Mapping[str, Tensor]:
        parts = {"system": SYSTEM_MESSAGE, "user": prompt.replace("[IMG]", "")}
        messages = [
            {"role": role, "content": [{"type": "text", "text": part}]} for role, part in parts.items()
        ]
        inputs: Mapping[str, Tensor] = processor.apply_chat_template(
            [messages],
            add_generation_prompt=False,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
            padding="max_length",
            truncation=True,
            max_length=text.max_length,
        )
        return inputs

    return tokenize
