"""Text encoders end at the last layer that is used: nothing after it is loaded, or computed."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch

from tintype.engine.flux2.encoder import load_encoder
from tintype.engine.flux2.placing import Placed

SHAPE = {
    "vocab_size": 32,
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 4,
    "num_attention_heads": 2,
}


def qwen3() -> Any:
    from transformers import Qwen3Config, Qwen3ForCausalLM

    return Qwen3ForCausalLM(Qwen3Config(**SHAPE, num_key_value_heads=1, head_dim=8))


def mistral() -> Any:
    from transformers import (
        Mistral3Config,
        Mistral3ForConditionalGeneration,
        MistralConfig,
        PixtralVisionConfig,
    )

    text = MistralConfig(**SHAPE, num_key_value_heads=1, head_dim=8)
    vision = PixtralVisionConfig(
        hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2, image_size=32
    )
    return Mistral3ForConditionalGeneration(Mistral3Config(text_config=text, vision_config=vision))


def bert() -> Any:
    from transformers import BertConfig, BertForMaskedLM

    return BertForMaskedLM(BertConfig(**SHAPE))


@pytest.mark.parametrize("make", [qwen3, mistral, bert])
def test_an_encoder_ends_at_the_last_layer_used(make: Any, tmp_path: Path) -> None:
    torch.manual_seed(0)
    whole = make().eval()
    whole.save_pretrained(tmp_path)
    tokens = torch.tensor([[3, 4, 5, 6]])

    encoder = load_encoder(tmp_path, (1, 2), Placed(device=torch.device("cpu"), dtype=torch.float32))

    names = [name for name, _ in encoder.named_modules() if "vision" not in name]
    assert sum(bool(re.search(r"layers?\.\d+$", name)) for name in names) == 2
    assert not [name for name in names if re.search(r"lm_head|cls\b|pooler", name)]
    with torch.inference_mode():
        expected = whole(input_ids=tokens, output_hidden_states=True).hidden_states
        found = encoder(input_ids=tokens, output_hidden_states=True).hidden_states
    for layer in (1, 2):
        torch.testing.assert_close(found[layer], expected[layer])
