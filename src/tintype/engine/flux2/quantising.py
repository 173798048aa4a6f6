"""Linear layers with fewer bits, by the facilities of diffusers and transformers.

int8 is torchao's: 8 bits, one scale for each output, on the CPU and on CUDA. nf4 is bitsandbytes': 4 bits,
one scale for each 64 weights and those in 8 bits again (https://arxiv.org/abs/2305.14314), on CUDA.
"""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from tintype.domain.placement import Quantisation

KEPT_WHOLE = ("x_embedder", "time_guidance_embed", "norm_out", "proj_out")
"""Layers of the transformer that are small, and through which everything goes."""
EXTRA = "pip install 'tintype[gpu]'"

_LIBRARIES = {
    Quantisation.INT8: ("accelerate", "torchao"),
    Quantisation.NF4: ("accelerate", "bitsandbytes"),
}
_METHODS = {"torchao": ("accelerate", "torchao"), "bitsandbytes": ("accelerate", "bitsandbytes")}
"""`quant_method` of folders that are quantised already."""


def demand_libraries(*names: str, of: str) -> None:
    """Raises `ValueError` if one is not installed that is needed `of` something."""
    if missing := [name for name in names if find_spec(name) is None]:
        raise ValueError(f"{of} needs {' and '.join(missing)}: {EXTRA}")


def demand_quantisation(quantisation: Quantisation, device: torch.device) -> None:
    """Raises `ValueError` if the device or the installation cannot do it."""
    if quantisation is Quantisation.NONE:
        return
    able = {Quantisation.INT8: ("cpu", "cuda"), Quantisation.NF4: ("cuda",)}[quantisation]
    if device.type not in able:
        raise ValueError(f"quantisation={quantisation} needs a device of {' or '.join(able)}, not {device}")
    demand_libraries(*_LIBRARIES[quantisation], of=f"quantisation={quantisation}")


def load_quantised(
    kind: Any,
    folder: Path,
    *,
    config: Mapping[str, Any],
    device: torch.device,
    dtype: torch.dtype,
    quantisation: Quantisation,
) -> Any:
    """A diffusers module; what the folder's own `config` says about its bits counts before `quantisation`.

    Raises `OSError` or `ValueError`.
    """
    own = own_quantisation(config)
    wanted = {} if own else {"quantization_config": diffusers_config(quantisation, dtype)}
    module, loaded = kind.from_pretrained(
        folder,
        dtype=dtype,
        device_map={"": device},
        local_files_only=True,
        output_loading_info=True,
        **wanted,
    )
    if missing := sorted(loaded["missing_keys"]):
        raise ValueError(f"weights lack {missing[0]}")
    if unknown := sorted(loaded["unexpected_keys"]):
        raise ValueError(f"weights hold unknown {unknown[0]}")
    return module


def own_quantisation(config: Mapping[str, Any]) -> str:
    """How a folder is quantised already; empty if it is not.

    Raises `ValueError` if it cannot be read here.
    """
    method = str(config.get("quantization_config", {}).get("quant_method", ""))
    if method:
        if method not in _METHODS:
            raise ValueError(f"is quantised by {method}; served are {' and '.join(_METHODS)}")
        demand_libraries(*_METHODS[method], of=f"a checkpoint that is quantised by {method}")
    return method


def diffusers_config(quantisation: Quantisation, dtype: torch.dtype) -> Any:
    """The `quantization_config` of a transformer."""
    if quantisation is Quantisation.INT8:
        from diffusers import TorchAoConfig
        from torchao.quantization import Int8WeightOnlyConfig

        return TorchAoConfig(Int8WeightOnlyConfig(), modules_to_not_convert=list(KEPT_WHOLE))
    from diffusers import BitsAndBytesConfig

    return BitsAndBytesConfig(**_nf4(dtype), llm_int8_skip_modules=list(KEPT_WHOLE))


def transformers_config(quantisation: Quantisation, dtype: torch.dtype) -> Any:
    """The `quantization_config` of a text encoder."""
    if quantisation is Quantisation.INT8:
        from torchao.quantization import Int8WeightOnlyConfig
        from transformers import TorchAoConfig

        return TorchAoConfig(Int8WeightOnlyConfig())
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(**_nf4(dtype))


def _nf4(dtype: torch.dtype) -> dict[str, Any]:
    return {
        "load_in_4bit": True,
        "bnb_4bit_quant_type": "nf4",
        "bnb_4bit_use_double_quant": True,
        "bnb_4bit_compute_dtype": dtype,
    }


def is_quantised(module: Any) -> bool:
    """Whether the module was loaded by `load_quantised`."""
    return getattr(module, "hf_quantizer", None) is not None
