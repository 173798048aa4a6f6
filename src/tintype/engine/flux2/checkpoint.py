"""Everything read from a FLUX.2 folder: modules on their device, and the facts that drawing needs."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tintype.domain.fixed import OPEN, Fixed
from tintype.domain.placement import Quantisation
from tintype.engine.acceleration import NONE, Acceleration
from tintype.engine.flux2.accelerated import Accelerated
from tintype.engine.flux2.canvas import Canvases
from tintype.engine.flux2.convolutions import lighten_convolutions
from tintype.engine.flux2.decode import Decoder
from tintype.engine.flux2.encoder import load_encoder
from tintype.engine.flux2.fingerprint import fingerprint
from tintype.engine.flux2.footprint import bytes_in_files, bytes_of
from tintype.engine.flux2.locating import locate
from tintype.engine.flux2.manifest import read_manifest
from tintype.engine.flux2.naming import naming
from tintype.engine.flux2.needs import Needs, needs_of
from tintype.engine.flux2.offloading import offload_layers
from tintype.engine.flux2.packed import pack_linears
from tintype.engine.flux2.placing import Placed
from tintype.engine.flux2.quantising import is_quantised, own_quantisation
from tintype.engine.flux2.recordings import Recordings
from tintype.engine.flux2.references import ReferenceEncoder
from tintype.engine.flux2.residuals import lighten
from tintype.engine.flux2.sidecar import Sidecar, Text
from tintype.engine.flux2.sigmas import Shift
from tintype.engine.flux2.tensor_files import DIFFUSERS_STEM, TRANSFORMERS_STEM, open_files
from tintype.engine.flux2.text import CACHE_BYTES, TextEncoder, Tokenize, dev_tokenize, klein_tokenize
from tintype.engine.flux2.weights import load_module

_TOKENIZE: Mapping[str, Callable[[Path, Text], Tokenize]] = {
    "Flux2KleinPipeline": klein_tokenize,
    "Flux2Pipeline": dev_tokenize,
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
    threads: int
    """Of the CPU, that its work may take."""
    classifier_free: bool
    """Guidance is a second forward against the empty prompt."""
    embedded_guidance: bool
    """Guidance is an input of the transformer."""
    bytes: int
    """Of its weights, on the device."""
    fixed: Fixed = OPEN
    """What jobs cannot choose."""
    recordings: Recordings | None = None
    """Of the transformer's small forward passes."""
    uses: Sequence[str] = ()
    """What makes it fast."""
    placement: Mapping[str, str] = field(default_factory=dict)
    """What pictures depend on of how it was placed."""
    fingerprint: str = ""
    """Of its files; empty if it does not come from files."""

    @property
    def arithmetic(self) -> dict[str, str]:
        """How its numbers are computed, as far as pictures depend on it."""
        return {**self.placement, "acceleration": ",".join(self.uses) or "none"}

    @property
    def forward(self) -> Callable[..., tuple[Tensor]]:
        """The transformer's, or what repeats it."""
        recordings = self.recordings
        return recordings if recordings and recordings.of(self.transformer) else self.transformer


def open_checkpoint(
    weights: str,
    placed: Placed,
    *,
    cache_bytes: int = CACHE_BYTES,
    acceleration: Acceleration = NONE,
) -> Checkpoint:
    """Load a diffusers folder (or hub id) in FLUX.2 format; prompts are remembered within `cache_bytes`.

    Raises `BadCheckpoint`, with one line that names the part and what is wrong with it.
    """
    folder = locate(weights)
    manifest = read_manifest(weights, folder)
    text, sidecar = manifest.text, manifest.sidecar
    with naming(weights, "scheduler"):
        config = json.loads((folder / "scheduler" / "scheduler_config.json").read_text("utf-8"))
        shift = Shift.from_config(config)
    with naming(weights, "transformer"):
        transformer = _load_transformer(folder / "transformer", placed)
    with naming(weights, "vae"):
        vae = _load_vae(folder / "vae", placed)
        if 4 * vae.config.latent_channels != transformer.config.in_channels:
            raise ValueError("its latent channels do not fit the transformer")
    with naming(weights, "sidecar"):
        canvases = _canvases(sidecar, vae)
    with naming(weights, "tokenizer"):
        tokenize = _TOKENIZE[manifest.pipeline](folder / "tokenizer", text)
    with naming(weights, "text_encoder"):
        encoder = load_encoder(folder / "text_encoder", text.layers, placed)
        prompts = TextEncoder(encoder=encoder, tokenize=tokenize, layers=text.layers, cache_bytes=cache_bytes)
        if prompts.empty.shape[-1] != transformer.config.joint_attention_dim:
            raise ValueError("its embeddings do not fit the transformer")
    with naming(weights, "acceleration"):
        threads = torch.get_num_threads()
        accelerated = Accelerated(
            transformer, acceleration, device=placed.device, dtype=placed.dtype, threads=threads
        )
    return Checkpoint(
        name=manifest.name,
        device=placed.device,
        dtype=placed.dtype,
        transformer=transformer,
        decoder=Decoder(vae, token=canvases.token),
        references=ReferenceEncoder(vae, canvases),
        most_references=sidecar.edit.references,
        text=prompts,
        shift=shift,
        canvases=canvases,
        needs=needs_of(transformer, vae, prompts.empty, token=canvases.token),
        threads=threads,
        classifier_free=not (transformer.config.guidance_embeds or manifest.distilled),
        embedded_guidance=bool(transformer.config.guidance_embeds),
        bytes=bytes_of(transformer, vae, encoder, device=placed.device),
        fixed=manifest.fixed,
        recordings=accelerated.recordings,
        uses=accelerated.uses,
        placement=placed.arithmetic,
        fingerprint=fingerprint(folder),
    )


def expected_bytes(weights: str, placed: Placed) -> int:
    """What `Checkpoint.bytes` will be, nearly, without loading it. Raises `BadCheckpoint`."""
    folder = locate(weights)
    layers = max(read_manifest(weights, folder).text.layers)
    parts = (
        ("transformer", DIFFUSERS_STEM, None, placed.home_of_transformer, placed.quantisation),
        ("vae", DIFFUSERS_STEM, None, placed.device, Quantisation.NONE),
        ("text_encoder", TRANSFORMERS_STEM, layers, placed.home_of_text, placed.text_quantisation),
    )
    total = 0
    for name, stem, depth, home, quantisation in parts:
        with naming(weights, name):
            files = open_files(folder / name, stem)
        if home == placed.device:
            total += bytes_in_files(files, dtype=placed.dtype, quantisation=quantisation, layers=depth)
    return total


def _load_transformer(folder: Path, placed: Placed) -> Any:
    from diffusers.models.transformers.transformer_flux2 import Flux2Transformer2DModel

    transformer = load_module(
        Flux2Transformer2DModel,
        folder,
        device=placed.home_of_transformer,
        dtype=placed.dtype,
        quantisation=placed.quantisation,
    )
    if placed.offloads_transformer:
        if own_quantisation(transformer.config) == "bitsandbytes":
            raise ValueError("is quantised by bitsandbytes, which cannot be offloaded; right is none or text")
        offload_layers(transformer, placed.device)
    elif placed.device.type == "cpu" and not is_quantised(transformer):
        pack_linears(transformer)
    return transformer


def _load_vae(folder: Path, placed: Placed) -> Any:
    from diffusers.models.autoencoders.autoencoder_kl_flux2 import AutoencoderKLFlux2

    vae = load_module(AutoencoderKLFlux2, folder, device=placed.device, dtype=placed.dtype)
    lighten(vae, device=placed.device)
    if placed.device.type == "cpu":
        lighten_convolutions(vae.decoder)
    return vae


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
