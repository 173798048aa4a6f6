"""Grow the decoder outward on latents that no longer change: 128, 256, then 512 px for the same 16 tokens.

Each size adds one thin level outside the trained ones, which acts as learned super-resolution. The latents
get noise of the size of the transformer's error; with `--drawn`, half of them are latents that the
transformer drew itself (`drawn.py`), paired with the picture that was meant.
"""

import argparse
import copy

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKLFlux2
from torch import Tensor

from training.latents import scale, unpatchify
from training.packages import WORK
from training.pictures import on_white
from training.run import Run, follow
from training.vae import autoencoder, decibels, optimisers, picture_loss, unit

OUTER = {128: 24, 256: 16, 512: 8}  #: channels of the level that each size adds
NOISE = 0.3  #: most noise on the normalised latents
RIM = 0.2  #: weight of the outermost pixels, whose colour continues beyond a picture that is not square


class Pictures:
    """Pictures at one size by number: first the plain ones, then the recoloured ones."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.sources = [np.load(WORK / name, mmap_mode="r") for name in ("pictures.npy", "recolours.npy")]
        self.plain = len(self.sources[0])

    def __call__(self, index: Tensor) -> Tensor:
        """(B, 3, size, size) in −1 … 1."""
        chosen = [
            self.sources[0][i] if i < self.plain else self.sources[1][i - self.plain] for i in index.tolist()
        ]
        x = torch.from_numpy(on_white(np.stack(chosen))).permute(0, 3, 1, 2)
        return F.avg_pool2d(unit(x), x.shape[-1] // self.size)


def grown(vae: AutoencoderKLFlux2, size: int) -> AutoencoderKLFlux2:
    """The autoencoder with decoder levels up to `size`; new upsamplers start as plain enlargement."""
    have = tuple(vae.config.decoder_block_out_channels or vae.config.block_out_channels)
    inner = 64 * 2 ** (len(have) - 4)
    if inner >= size:
        return vae
    want = (OUTER[2 * inner], *have)
    fresh = autoencoder(tuple(vae.config.block_out_channels), want)
    old, new = vae.state_dict(), fresh.state_dict()
    outermost = ("decoder.conv_out", "decoder.conv_norm_out")
    fitting = {
        k: w for k, w in old.items() if k in new and new[k].shape == w.shape and not k.startswith(outermost)
    }
    fresh.load_state_dict(fitting, strict=False)
    upsampler = fresh.decoder.up_blocks[len(have) - 1].upsamplers[0].conv
    torch.nn.init.dirac_(upsampler.weight)
    torch.nn.init.zeros_(upsampler.bias)
    return grown(fresh, size)


def rim(error: Tensor) -> Tensor:
    """Mean absolute error of the two outermost rows and columns."""
    sides = (error[..., :2, :], error[..., -2:, :], error[..., :2].mT, error[..., -2:].mT)
    return torch.cat(sides, dim=-2).abs().mean()


def freeze(vae: AutoencoderKLFlux2, *, outer: int) -> None:
    """Train the decoder only; with `outer` > 0 only so many of its outermost levels."""
    vae.requires_grad_(False)
    vae.decoder.requires_grad_(True)
    vae.post_quant_conv.requires_grad_(outer == 0)
    if outer:
        for inner in (vae.decoder.conv_in, vae.decoder.mid_block, *vae.decoder.up_blocks[:-outer]):
            inner.requires_grad_(False)
        vae.decoder.up_blocks[-outer - 1].upsamplers.requires_grad_(True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, required=True)
    parser.add_argument("--minutes", type=float, required=True)
    parser.add_argument("--start", default="vae-64", help="folder in work/ to start from")
    parser.add_argument("--outer", type=int, default=0, help="levels to train; 0 trains the whole decoder")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument(
        "--drawn", action="store_true", help="half of the latents as the transformer drew them"
    )
    arguments = parser.parse_args()
    torch.manual_seed(arguments.size)

    pictures, latents = Pictures(arguments.size), torch.load(WORK / "latents.pt")
    drawn = torch.load(WORK / "drawn.pt") if arguments.drawn else None
    model = grown(AutoencoderKLFlux2.from_pretrained(WORK / arguments.start), arguments.size)
    model = model.to(memory_format=torch.channels_last)
    freeze(model, outer=arguments.outer)
    mean, deviation = scale(model)
    average = copy.deepcopy(model)
    muon, adam = optimisers(model, arguments.lr)
    name = f"decoder-{arguments.size}{'-drawn' if arguments.drawn else ''}"
    run = Run(
        WORK / f"{name}.pt",
        minutes=arguments.minutes,
        parts={"model": model, "average": average, "muon": muon, "adam": adam},
    )
    trained = [p for p in model.parameters() if p.requires_grad]
    print(f"{sum(p.numel() for p in trained) / 1e6:.2f} M parameters trained")

    size = arguments.batch
    while run.unfinished:
        coloured = torch.rand(size) < 0.3
        index = torch.where(
            coloured,
            torch.randint(pictures.plain, len(latents), (size,)),
            torch.randint(pictures.plain, (size,)),
        )
        tokens = latents[index] + NOISE * torch.rand(size, 1, 1) * torch.randn(size, *latents.shape[1:])
        if drawn is not None:
            which = torch.randint(len(drawn["index"]), (size // 2,))
            tokens[: size // 2], index[: size // 2] = drawn["tokens"][which].float(), drawn["index"][which]
        x = pictures(index).contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16):
            y = model.decoder(model.post_quant_conv(unpatchify(tokens * deviation + mean))).float()
        loss, squared = picture_loss(y, x)
        loss = loss + RIM * rim(y - x)

        for optimiser in (muon, adam):
            optimiser.param_groups[0]["lr"] = arguments.lr * run.rate(warm_up=30, decay=0.6)
            optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        muon.step()
        adam.step()
        follow(average, model, decay=0.98, step=run.step)
        run.tick(size, every=20, psnr=decibels(squared.item()))

    run.save()
    average.save_pretrained(WORK / name)


if __name__ == "__main__":
    main()
