"""Everything read from a FLUX.2 folder: modules on their device, and the facts that drawing needs."""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tintype.domain.errors import BadCheckpoint
from tintype.engine.acceleration import NONE, Acceleration
from tintype.engine.flux2.accelerated import Accelerated
from tintype.engine.flux2.canvas import Canvases
from tintype.engine.flux2.decode import Decoder
from tintype.engine.flux2.fingerprint import fingerprint
from tintype.engine.flux2.footprint import bytes_in_files, bytes_of
from tintype.engine.flux2.needs import Needs, needs_of
from tintype.engine.flux2.packed import pack_linears
from tintype.engine.flux2.recordings import Recordings
from tintype.engine.flux2.references import ReferenceEncoder
from tintype.engine.flux2.sidecar import Sidecar, Text, read_sidecar
from tintype.engine.flux2.sigmas import Shift
from tintype.engine.flux2.text import (
    CACHE_BYTES,
    TextEncoder,
    Tokenize,
    dev_tokenize,
    klein_tokenize,
    load_encoder,
)
from tintype.engine.flux2.weights import load_module

_PARTS = ("transformer", "vae", "text_encoder", "tokenizer", "scheduler")
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
_PROBLEM_LENGTH = 300


@dataclass(frozen=True)
class _Family:
    """What a pipeline class in `model_index.json` stands for."""

    text: Text
    tokenize: Callable[[Path, Text], Tokenize]


_FAMILIES = {
    "Flux2KleinPipeline": _Family(Text(layers=(9, 18, 27)), klein_tokenize),
    "Flux2Pipeline": _Family(Text(layers=(10, 20, 30)), dev_tokenize),
}


@dataclass(frozen=True)
class Checkpoint:
    """A loaded FLUX.2 checkpoint."""

    name: str
    device: torch.device
    dtype: torch.dtype
    transformer: Any
    decoder: Decoder
    references: ReferenceEncoder
    most_references: int
    """How many reference pictures a job may have; 0: the checkpoint cannot edit."""
    text: TextEncoder
    shift: Shift
    canvases: Canvases
    needs: Needs
    """What its jobs take of the device's memory."""
    classifier_free: bool
    """Guidance is a second forward against the empty prompt."""
    embedded_guidance: bool
    """Guidance is an input of the transformer."""
    bytes: int
    """Of its weights, on the device."""
    recordings: Recordings | None = None
    """Of the transformer's small forward passes."""
    uses: Sequence[str] = ()
    """What makes it fast."""
    fingerprint: str = ""
    """Of its files; empty if it does not come from files."""

    @property
    def forward(self) -> Callable[..., tuple[Tensor]]:
        """The transformer's, or what repeats it."""
        recordings = self.recordings
        return recordings if recordings and recordings.of(self.transformer) else self.transformer


def open_checkpoint(
    path: str,
    *,
    device: torch.device,
    dtype: torch.dtype,
    cache_bytes: int = CACHE_BYTES,
    acceleration: Acceleration = NONE,
) -> Checkpoint:
    """Load a diffusers folder (or hub id) in FLUX.2 format; prompts are remembered within `cache_bytes`.

    Raises `BadCheckpoint`, with one line that names the part and what is wrong with it.
    """
    folder = _locate(path)
    with _part(path, "model_index.json"):
        index = json.loads((folder / "model_index.json").read_text())
        family = _family(index)
    with _part(path, "sidecar"):
        sidecar = read_sidecar(folder)
    text = sidecar.text or family.text
    with _part(path, "scheduler"):
        config = json.loads((folder / "scheduler" / "scheduler_config.json").read_text())
        shift = Shift.from_config(config)
    with _part(path, "transformer"):
        transformer = _load_transformer(folder / "transformer", device, dtype)
    with _part(path, "vae"):
        vae = _load_vae(folder / "vae", device, dtype)
        if 4 * vae.config.latent_channels != transformer.config.in_channels:
            raise ValueError("its latent channels do not fit the transformer")
    with _part(path, "sidecar"):
        canvases = _canvases(sidecar, vae)
    with _part(path, "tokenizer"):
        tokenize = family.tokenize(folder / "tokenizer", text)
    with _part(path, "text_encoder"):
        encoder = load_encoder(folder / "text_encoder", text.layers, device=device, dtype=dtype)
        prompts = TextEncoder(encoder=encoder, tokenize=tokenize, layers=text.layers, cache_bytes=cache_bytes)
        if prompts.empty.shape[-1] != transformer.config.joint_attention_dim:
            raise ValueError("its embeddings do not fit the transformer")
    with _part(path, "acceleration"):
        accelerated = Accelerated(transformer, acceleration, device=device, dtype=dtype)
    return Checkpoint(
        name=sidecar.name or folder.resolve().name,
        device=device,
        dtype=dtype,
        transformer=transformer,
        decoder=Decoder(vae, token=canvases.token),
        references=ReferenceEncoder(vae, canvases),
        most_references=sidecar.edit.references,
        text=prompts,
        shift=shift,
        canvases=canvases,
        needs=needs_of(transformer, vae, prompts.empty, token=canvases.token),
        classifier_free=not (transformer.config.guidance_embeds or index.get("is_distilled")),
        embedded_guidance=bool(transformer.config.guidance_embeds),
        bytes=bytes_of(transformer, vae, encoder, device=device),
        recordings=accelerated.recordings,
        uses=accelerated.uses,
        fingerprint=fingerprint(folder),
    )


def expected_bytes(path: str, *, dtype: torch.dtype) -> int:
    """What `Checkpoint.bytes` will be, without loading it. Raises `BadCheckpoint`."""
    folder = _locate(path)
    with _part(path, "model_index.json"):
        family = _family(json.loads((folder / "model_index.json").read_text()))
    with _part(path, "sidecar"):
        layers = max((read_sidecar(folder).text or family.text).layers)
    total = 0
    for name, depth in (("transformer", None), ("vae", None), ("text_encoder", layers)):
        with _part(path, name):
            total += bytes_in_files(folder / name, dtype=dtype, layers=depth)
    return total


def _locate(path: str) -> Path:
    folder = Path(path)
    if folder.is_dir():
        return folder
    if not _HUB_ID.fullmatch(path):
        raise BadCheckpoint(path=path, problem="there is no such folder")
    with _part(path, "download"):
        from huggingface_hub import snapshot_download

        patterns = ["model_index.json", "tintype.toml", *(f"{part}/*" for part in _PARTS)]
        return Path(snapshot_download(path, allow_patterns=patterns))


def _family(index: dict[str, Any]) -> _Family:
    name = index["_class_name"]
    if name not in _FAMILIES:
        raise ValueError(f"{name} is not a FLUX.2 pipeline")
    return _FAMILIES[name]


def _load_transformer(folder: Path, device: torch.device, dtype: torch.dtype) -> Any:
    from diffusers.models.transformers.transformer_flux2 import Flux2Transformer2DModel

    transformer = load_module(Flux2Transformer2DModel, folder, device=device, dtype=dtype)
    if device.type == "cpu":
        pack_linears(transformer)
    return transformer


def _load_vae(folder: Path, device: torch.device, dtype: torch.dtype) -> Any:
    from diffusers.models.autoencoders.autoencoder_kl_flux2 import AutoencoderKLFlux2

    return load_module(AutoencoderKLFlux2, folder, device=device, dtype=dtype)


def _canvases(sidecar: Sidecar, vae: Any) -> Canvases:
    doublings = sum(1 for block in vae.decoder.up_blocks if block.upsamplers)
    token = 2 * 2**doublings
    table = sidecar.canvas
    if table.token not in (None, token):
        raise ValueError(f"token is {table.token} but the vae draws {token} pixels per token")
    for size in table.native:
        if any(side < token or side % token for side in size):
            raise ValueError(f"native size {size[0]}x{size[1]} is not a multiple of {token}")
    return Canvases(token=token, native=table.native)


@contextmanager
def _part(path: str, name: str) -> Iterator[None]:
    """Whatever goes wrong with this part is the checkpoint's fault, told in one line."""
    try:
        yield
    except KeyError as error:
        raise BadCheckpoint(path=path, problem=f"{name}: {error} is missing") from error
    except Exception as error:
        what = " ".join(str(error).split())[:_PROBLEM_LENGTH] or type(error).__name__
        raise BadCheckpoint(path=path, problem=f"{name}: {what}") from error
