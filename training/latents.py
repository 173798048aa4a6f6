"""Encode all scenes with the frozen autoencoder: `work/latents.pt`, (rows · columns, 128) each, normalised.

The statistics of the patchified latents go into `vae.bn`, where the FLUX.2 pipeline looks for them, when they
are not there yet.
"""

import argparse
import hashlib
from collections import defaultdict
from functools import cache
from multiprocessing import Pool, get_context

import numpy as np
import torch
from diffusers import AutoencoderKLFlux2
from torch import Tensor

from training.packages import WORK
from training.scenes import SQUARE, Scene, Sources, load, painted
from training.vae import decibels, unit


def patchify(z: Tensor) -> Tensor:
    """(B, C, H, W) to tokens (B, H/2 · W/2, 4C): 2 by 2 patches, channel-major as in the pipeline."""
    batch, channels, height, width = z.shape
    z = z.view(batch, channels, height // 2, 2, width // 2, 2).permute(0, 2, 4, 1, 3, 5)
    return z.reshape(batch, height * width // 4, channels * 4)


def unpatchify(tokens: Tensor, canvas: tuple[int, int] = (4, 4)) -> Tensor:
    """The way back, for a canvas of so many columns and rows of tokens: (B, C, 2 · rows, 2 · columns)."""
    batch, _, width = tokens.shape
    columns, rows = canvas
    z = tokens.view(batch, rows, columns, width // 4, 2, 2).permute(0, 3, 1, 4, 2, 5)
    return z.reshape(batch, width // 4, 2 * rows, 2 * columns)


def scale(vae: AutoencoderKLFlux2) -> tuple[Tensor, Tensor]:
    """Mean and deviation of the patchified latents, each (4C,)."""
    return vae.bn.running_mean, (vae.bn.running_var + vae.config.batch_norm_eps).sqrt()


@torch.inference_mode()
def encode(vae: AutoencoderKLFlux2, data: Tensor) -> Tensor:
    """Posterior means (N, 32, H/8, W/8) of pictures (N, 3, H, W) uint8."""
    return torch.cat([vae.encode(unit(batch)).latent_dist.mean for batch in data.split(128)])


def _paint(scene: Scene) -> np.ndarray:
    return painted(scene, _sources())


def _sources() -> Sources:
    global _opened
    if _opened is None:
        _opened = Sources()
    return _opened


_opened: Sources | None = None


def small_pictures(scenes: list[Scene]) -> list[Tensor]:
    """Every scene at its smallest size, (3, rows · 16, columns · 16) uint8; kept in `work/small.pt`."""
    key = hashlib.sha256(repr(scenes).encode()).hexdigest()
    kept = WORK / "small.pt"
    if kept.exists() and (found := torch.load(kept))["key"] == key:
        return found["pictures"]
    with Pool() as pool:
        small = [torch.from_numpy(p).permute(2, 0, 1) for p in pool.imap(_paint, scenes, chunksize=64)]
    torch.save({"key": key, "pictures": small}, kept)
    return small


@cache
def _vae(name: str) -> AutoencoderKLFlux2:
    torch.set_num_threads(1)
    return AutoencoderKLFlux2.from_pretrained(WORK / name).eval().to(memory_format=torch.channels_last)


@torch.inference_mode()
def _encoded(name: str, data: Tensor) -> tuple[Tensor, Tensor]:
    """Tokens of pictures (N, 3, H, W) uint8, not normalised; the squared error of every 16th drawn back."""
    vae = _vae(name)
    latents = encode(vae, data)
    drawn = vae.decode(latents[::16]).sample.clamp(-1, 1)
    return patchify(latents), (drawn - unit(data[::16])).square().mean((1, 2, 3))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vae", default="vae-64", help="folder in work/")
    parser.add_argument("--square", action="store_true", help="only the square canvas, to begin with")
    arguments = parser.parse_args()
    name = arguments.vae
    scenes, _ = load()
    small = small_pictures(scenes)

    parts = defaultdict(list)
    for place, scene in enumerate(scenes):
        if scene.canvas == SQUARE or not arguments.square:
            parts[scene.canvas].append(place)
    batches = [own[start : start + 256] for own in parts.values() for start in range(0, len(own), 256)]
    z: list[Tensor] = [torch.empty(0)] * len(scenes)
    errors = defaultdict(list)
    with get_context("spawn").Pool() as pool:
        work = ((name, torch.stack([small[place] for place in batch])) for batch in batches)
        for batch, (tokens, squared) in zip(batches, pool.starmap(_encoded, work, chunksize=1), strict=True):
            for place, error in zip(batch[::16], squared.tolist(), strict=True):
                errors[scenes[place].kind].append(error)
            for place, own in zip(batch, tokens, strict=True):
                z[place] = own
    for kind, squares in errors.items():
        print(f"{kind}: {decibels(sum(squares) / len(squares)):.2f} dB")

    vae = _vae(name)
    if not vae.bn.running_mean.any():
        tokens = torch.cat([z[place] for place in parts[SQUARE]])
        vae.bn.running_mean.copy_(tokens.mean(0))
        vae.bn.running_var.copy_(tokens.var(0))
        vae.save_pretrained(WORK / name)
    mean, deviation = scale(vae)
    print(f"{len(z)} scenes, deviations {deviation.min():.2f} … {deviation.max():.2f}")
    torch.save([((own - mean) / deviation).half() if len(own) else own for own in z], WORK / "latents.pt")


if __name__ == "__main__":
    main()
