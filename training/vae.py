"""Train the autoencoder on 64-px pictures: 8 times down, then 2 by 2 patches, so 16 tokens of 128 numbers.

The decoder grows outward to 512 px later (`decoder.py`), on latents that no longer change.
"""

import argparse
import copy
import math

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKLFlux2
from torch import Tensor

from training.muon import Muon
from training.packages import WORK
from training.pictures import on_white
from training.run import BFLOAT16, Run, follow

CHANNELS = (24, 64, 128, 192)
SIZE = 64
BATCH = 16
NOISE = 0.3  #: most noise on the latents in training, so that the decoder forgives the transformer


def autoencoder(
    channels: tuple[int, ...], decoder_channels: tuple[int, ...] | None = None
) -> AutoencoderKLFlux2:
    """An untrained autoencoder, outermost level first. One group in group norm: more wash colour out."""
    down, up = len(channels), len(decoder_channels or channels)
    return AutoencoderKLFlux2(
        down_block_types=("DownEncoderBlock2D",) * down,
        up_block_types=("UpDecoderBlock2D",) * up,
        block_out_channels=channels,
        decoder_block_out_channels=decoder_channels,
        layers_per_block=1,
        latent_channels=32,
        norm_num_groups=1,
        mid_block_add_attention=False,
        sample_size=8 * 2 ** (up - 1),
    )


def pictures(size: int, name: str = "pictures.npy") -> Tensor:
    """All pictures on white at one size, area-averaged: (N, 3, size, size) uint8."""
    source = np.load(WORK / name, mmap_mode="r")
    factor = source.shape[1] // size
    out = torch.empty(len(source), 3, size, size, dtype=torch.uint8)
    for start in range(0, len(source), 64):
        white = torch.from_numpy(on_white(source[start : start + 64])).permute(0, 3, 1, 2).float()
        out[start : start + 64] = F.avg_pool2d(white, factor).round().byte()
    return out


def unit(pixels: Tensor) -> Tensor:
    """uint8 to −1 … 1."""
    return pixels.float() / 127.5 - 1


def vary(x: Tensor) -> Tensor:
    """Mirror half of the batch and swap colour channels in a third of it: white stays white, hues change."""
    mirrored = torch.rand(len(x)) < 0.5
    x[mirrored] = x[mirrored].flip(-1)
    for index in (torch.rand(len(x)) < 0.33).nonzero().flatten().tolist():
        x[index] = x[index][torch.randperm(3)]
    return x


def picture_loss(drawn: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    """Absolute error, squared error and differences of edges at three scales; and the squared error alone."""
    error = drawn - wanted
    squared = error.square().mean()
    loss = error.abs().mean() + 0.5 * squared
    for scale in (1, 2, 4):
        coarse = F.avg_pool2d(error, scale) if scale > 1 else error
        loss = loss + 0.5 * (coarse.diff(dim=-1).abs().mean() + coarse.diff(dim=-2).abs().mean())
    return loss, squared


def decibels(squared: float) -> float:
    """Peak signal-to-noise ratio for a mean squared error on the −1 … 1 scale."""
    return -10 * math.log10(squared / 4)


def optimisers(model: torch.nn.Module, lr: float) -> tuple[Muon, torch.optim.AdamW]:
    """Muon for the convolutions that have channels on both sides, AdamW for the rest."""
    trained = [p for p in model.parameters() if p.requires_grad]
    wide = [p for p in trained if p.ndim == 4 and min(p.shape[:2]) > 3]
    rest = [p for p in trained if not (p.ndim == 4 and min(p.shape[:2]) > 3)]
    return Muon(wide, lr=lr), torch.optim.AdamW(rest, lr=lr, betas=(0.9, 0.99), weight_decay=0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=18)
    parser.add_argument("--lr", type=float, default=3e-3)
    arguments = parser.parse_args()
    torch.manual_seed(0)

    data = pictures(SIZE)
    model = autoencoder(CHANNELS).to(memory_format=torch.channels_last)
    average = copy.deepcopy(model).requires_grad_(False)
    encoder, decoder = model.encoder, model.decoder
    muon, adam = optimisers(model, arguments.lr)
    parts = {"model": model, "average": average, "muon": muon, "adam": adam}
    run = Run(WORK / "vae.pt", minutes=arguments.minutes, parts=parts)
    print(f"{sum(p.numel() for p in model.parameters()) / 1e6:.1f} M parameters, {len(data)} pictures")

    while run.unfinished:
        x = vary(unit(data[torch.randint(len(data), (BATCH,))])).contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16, enabled=BFLOAT16):
            z = model.quant_conv(encoder(x))[:, :32].float()
            noisy = z + NOISE * torch.rand(BATCH, 1, 1, 1) * torch.randn_like(z)
            y = decoder(model.post_quant_conv(noisy)).float()
        loss, squared = picture_loss(y, x)
        loss = loss + 1e-3 * z.square().mean()

        lr = arguments.lr * run.rate(warm_up=30, decay=0.6)
        for optimiser in (muon, adam):
            optimiser.param_groups[0]["lr"] = lr
            optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        muon.step()
        adam.step()
        follow(average, model, decay=0.99, step=run.step)
        run.tick(BATCH, psnr=decibels(squared.item()), latents=z.std().item())

    run.save()
    average.save_pretrained(WORK / "vae-64")


if __name__ == "__main__":
    main()
