"""A text encoder's folder in, the layers that are used out: no language-model head, no logits, no vision."""

import json
from pathlib import Path
from typing import Any

from torch import nn

from tintype.domain.placement import Quantisation
from tintype.engine.flux2.offloading import offload_layers
from tintype.engine.flux2.placing import Placed
from tintype.engine.flux2.quantising import own_quantisation, transformers_config
from tintype.engine.flux2.tensor_files import TRANSFORMERS_STEM, open_files


def load_encoder(folder: Path, layers: tuple[int, ...], placed: Placed) -> Any:
    """The transformers model of the folder, up to the deepest of the layers.

    Raises `OSError` or `ValueError` for missing or damaged files.
    """
    from transformers import AutoConfig, AutoModel

    own = own_quantisation(json.loads((folder / "config.json").read_text("utf-8")))
    open_files(folder, TRANSFORMERS_STEM)
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
    model, loaded = AutoModel.from_pretrained(
        folder,
        config=config,
        dtype=placed.dtype,
        local_files_only=True,
        output_loading_info=True,
        **_options(config.model_type, own, placed),
    )
    if missing := sorted(loaded["missing_keys"]):
        raise ValueError(f"weights lack {missing[0]}")
    stack = getattr(model, "language_model", model)
    if deepest < depth and hasattr(stack, "norm"):
        # The last hidden state is the only normalised one, and here it was an inner one.
        stack.norm = nn.Identity()
    return _put(stack.requires_grad_(False).eval(), own, placed)


def _options(model_type: str, own: str, placed: Placed) -> dict[str, Any]:
    # What BERT says about a whole text is not used, and not in the files.
    options: dict[str, Any] = {"add_pooling_layer": False} if model_type == "bert" else {}
    quantisation = placed.text_quantisation
    if own:
        options["device_map"] = {"": placed.home_of_text}
    elif quantisation is not Quantisation.NONE:
        options["quantization_config"] = transformers_config(quantisation, placed.dtype)
        options["device_map"] = {"": placed.home_of_text}
    return options


def _put(stack: Any, own: str, placed: Placed) -> Any:
    if placed.offloads_text:
        if own == "bitsandbytes":
            raise ValueError("is quantised by bitsandbytes, which cannot be offloaded; right is offload=none")
        offload_layers(stack, placed.device)
        return stack
    if own or placed.text_quantisation is not Quantisation.NONE:
        return stack
    return stack.to(placed.device)
