"""Encode all pictures with the frozen autoencoder: `work/latents.pt` (N, 16, 128), normalised.

The statistics of the patchified latents go into `vae.bn`, where the FLUX.2 pipeline looks for them.
"""

import torch
from diffusers import AutoencoderKLFlux2
from torch import Tensor

from training.packages import WORK
from training.vae import SIZE, decibels, pictures, unit


def patchify(z: Tensor) -> Tensor:
    """(B, C, H, W) to tokens (B, H/2 · W/2, 4C): 2 by 2 patches, channel-major as in the pipeline."""
    batch, channels, height, width = z.shape
    z = z.view(batch, channels, height // 2, 2, width // 2, 2).permute(0, 2, 4, 1, 3, 5)
    return z.reshape(batch, height * width // 4, channels * 4)


def unpatchify(tokens: Tensor, side: int = 4) -> Tensor:
    """The way back, for square pictures of `side` tokens: (B, C, 2 · side, 2 · side)."""
    batch, _, width = tokens.shape
    z = tokens.view(batch, side, side, width // 4, 2, 2).permute(0, 3, 1, 4, 2, 5)
    return z.reshape(batch, width // 4, 2 * side, 2 * side)


def scale(vae: AutoencoderKLFlux2) -> tuple[Tensor, Tensor]:
    """Mean and deviation of the patchified latents, each (4C,)."""
    return vae.bn.running_mean, (vae.bn.running_var + vae.config.batch_norm_eps).sqrt()


@torch.inference_mode()
def encode(vae: AutoencoderKLFlux2, data: Tensor) -> Tensor:
    """Posterior means (N, 32, 8, 8) of pictures (N, 3, 64, 64) uint8."""
    return torch.cat([vae.encode(unit(batch)).latent_dist.mean for batch in data.split(128)])


def main() -> None:
    vae = AutoencoderKLFlux2.from_pretrained(WORK / "vae-64").eval().to(memory_format=torch.channels_last)
    plain, colours = pictures(SIZE), pictures(SIZE, "recolours.npy")
    data = torch.cat([plain, colours])
    torch.save(data, WORK / "pictures-64.pt")
    z = encode(vae, data)
    for name, part in (("plain", slice(0, len(plain))), ("recoloured", slice(len(plain), None))):
        with torch.inference_mode():
            drawn = torch.cat([vae.decode(batch).sample for batch in z[part][::3].split(128)])
        print(
            f"{name}: {decibels((drawn.clamp(-1, 1) - unit(data[part][::3])).square().mean().item()):.2f} dB"
        )

    tokens = patchify(z)
    vae.bn.running_mean.copy_(tokens.mean((0, 1)))
    vae.bn.running_var.copy_(tokens.var((0, 1)))
    vae.save_pretrained(WORK / "vae-64")
    mean, deviation = scale(vae)
    print(f"{len(tokens)} pictures, deviations {deviation.min():.2f} … {deviation.max():.2f}")
    torch.save((tokens - mean) / deviation, WORK / "latents.pt")


if __name__ == "__main__":
    main()
