"""Prompts in, embeddings out: as the stock FLUX.2 pipelines compute them, without what they throw away."""

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

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


def klein_tokenize(folder: Path, text: Text) -> Tokenize:
    """As `Flux2KleinPipeline`: the prompt as a user's message, padded to the full length."""
    tokenizer = _read_tokenizer(folder)

    def tokenize(prompt: str) -> Mapping[str, Tensor]:
        message = tokenizer.apply_chat_template(
            [{"role": "user", "content": prompt}],
            tokenize=False,
            add_generation_prompt=True,
            enable_thinking=False,
        )
        inputs: Mapping[str, Tensor] = tokenizer(message, **_padded(text))
        return inputs

    return tokenize


def dev_tokenize(folder: Path, text: Text) -> Tokenize:
    """As `Flux2Pipeline`: a fixed system message, then the prompt without image marks.

    Of the processor that stands in the folder no more than the tokenizer is used: its other half is for
    pictures, and needs a library of its own.
    """
    from diffusers.pipelines.flux2.system_messages import SYSTEM_MESSAGE

    tokenizer = _read_tokenizer(folder)
    if not tokenizer.chat_template:
        raise ValueError("chat_template.jinja is missing")

    def tokenize(prompt: str) -> Mapping[str, Tensor]:
        parts = {"system": SYSTEM_MESSAGE, "user": prompt.replace("[IMG]", "")}
        messages = [
            {"role": role, "content": [{"type": "text", "text": part}]} for role, part in parts.items()
        ]
        inputs: Mapping[str, Tensor] = tokenizer.apply_chat_template(
            [messages],
            add_generation_prompt=False,
            tokenize=True,
            return_dict=True,
            **_padded(text),
        )
        return inputs

    return tokenize


def _padded(text: Text) -> dict[str, Any]:
    """What every tokenizer is asked for: tensors of the full length, whatever the prompt's."""
    return {
        "return_tensors": "pt",
        "padding": "max_length",
        "truncation": True,
        "max_length": text.max_length,
    }


def _read_tokenizer(folder: Path) -> Any:
    from transformers import AutoTokenizer

    if not (folder / "tokenizer_config.json").is_file():  # or it would be sought on the hub
        raise ValueError("tokenizer_config.json is missing")
    return AutoTokenizer.from_pretrained(folder, local_files_only=True)
