"""Grow the decoder outward on latents that no longer change: 128, 256, then 512 px for the same 16 tokens.

Each size adds one thin level outside the trained ones, which acts as learned super-resolution. The latents
get noise of the size of the transformer's error; with `--drawn`, half of them are latents that the
transformer drew itself (`drawn.py`), paired with the picture that was meant.
"""

import argparse
import copy
import random
from collections.abc import Sequence

import numpy as np
import torch
from diffusers import AutoencoderKLFlux2
from torch import Tensor

from training.latents import scale, unpatchify
from training.packages import WORK
from training.run import BFLOAT16, Run, follow
from training.scenes import Sources, load, painted
from training.vae import autoencoder, decibels, optimisers, picture_loss, unit

OUTER = {128: 24, 256: 8, 512: 8}  #: channels of the level that each size adds
NOISE = 0.3  #: most noise on the normalised latents
OBLONG = 0.2  #: share of the batches that are not square
RIM = 0.2  #: weight of the outermost pixels, whose colour continues beyond a picture that is not square


class Pictures:
    """Scenes painted at one size, in random batches of one canvas: half of them with one thing on white.

    Of those that have latents, where latents are given.
    """

    def __init__(self, size: int, latents: Sequence[Tensor] | None = None) -> None:
        self.size, self.scale = size, size // 64
        self.scenes, self.sources = load()[0], Sources()
        rows: dict[tuple[int, int], dict[bool, list[int]]] = {}
        for index, scene in enumerate(self.scenes):
            if latents is not None and not len(latents[index]):
                continue
            usual = scene.kind in ("plain", "recoloured", "styled", "oblong")
            rows.setdefault(scene.canvas, {}).setdefault(usual, []).append(index)
        self.groups = {canvas: (own[True], own[False]) for canvas, own in rows.items()}

    def choose(self, size: int) -> tuple[list[int], tuple[int, int]]:
        """Scenes of one canvas: of the square one most of the time, and fewer of the larger ones."""
        canvas = (4, 4)
        if len(self.groups) > 1 and random.random() < OBLONG:
            canvas = random.choice([other for other in self.groups if other != canvas])
            size = max(1, size * 16 // (canvas[0] * canvas[1]))
        usual, composed = self.groups[canvas]
        return [random.choice(usual if random.random() < 0.5 else composed) for _ in range(size)], canvas

    def __call__(self, index: list[int]) -> Tensor:
        """(B, 3, height, width) in −1 … 1."""
        painting = np.stack([painted(self.scenes[i], self.sources, self.scale) for i in index])
        return unit(torch.from_numpy(painting).permute(0, 3, 1, 2))


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


def transplant(inner: AutoencoderKLFlux2, vae: AutoencoderKLFlux2) -> None:
    """Put the levels of a smaller decoder into a larger one, all but what only its outermost level has."""
    last = len(inner.decoder.up_blocks) - 1
    outermost = ("decoder.conv_out", "decoder.conv_norm_out", f"decoder.up_blocks.{last}.upsamplers")
    kept = {
        k: w
        for k, w in inner.state_dict().items()
        if not k.startswith(("encoder.", "quant_conv.", *outermost))
    }
    unknown = vae.load_state_dict(kept, strict=False).unexpected_keys
    if unknown:
        raise ValueError(f"the larger decoder has no {unknown[0]}: it was not grown from the smaller one")


def rim(error: Tensor) -> Tensor:
    """Mean absolute error of the two outermost rows and columns."""
    sides = (error[..., :2, :], error[..., -2:, :], error[..., :2], error[..., -2:])
    return torch.cat([side.flatten() for side in sides]).abs().mean()


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
    parser.add_argument(
        "--inner", help="folder in work/ whose decoder, of a smaller size, replaces the inner levels"
    )
    parser.add_argument("--outer", type=int, default=0, help="levels to train; 0 trains the whole decoder")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--name", help="folder in work/ to write to")
    parser.add_argument(
        "--drawn", action="store_true", help="half of the square latents as the transformer drew them"
    )
    arguments = parser.parse_args()
    torch.manual_seed(arguments.size)
    random.seed(arguments.size)

    latents = torch.load(WORK / "latents.pt")
    pictures = Pictures(arguments.size, latents)
    drawn = torch.load(WORK / "drawn.pt") if arguments.drawn else None
    model = grown(AutoencoderKLFlux2.from_pretrained(WORK / arguments.start), arguments.size)
    if arguments.inner:
        transplant(AutoencoderKLFlux2.from_pretrained(WORK / arguments.inner), model)
    model = model.to(memory_format=torch.channels_last)
    freeze(model, outer=arguments.outer)
    mean, deviation = scale(model)
    average = copy.deepcopy(model)
    muon, adam = optimisers(model, arguments.lr)
    name = arguments.name or f"decoder-{arguments.size}{'-drawn' if arguments.drawn else ''}"
    run = Run(
        WORK / f"{name}.pt",
        minutes=arguments.minutes,
        parts={"model": model, "average": average, "muon": muon, "adam": adam},
    )
    trained = [p for p in model.parameters() if p.requires_grad]
    print(f"{sum(p.numel() for p in trained) / 1e6:.2f} M parameters trained")

    while run.unfinished:
        index, canvas = pictures.choose(arguments.batch)
        tokens = torch.stack([latents[i] for i in index]).float()
        tokens = tokens + NOISE * torch.rand(len(index), 1, 1) * torch.randn_like(tokens)
        if drawn is not None and canvas == (4, 4):
            which = torch.randint(len(drawn["index"]), (len(index) // 2,))
            tokens[: len(which)] = drawn["tokens"][which].float()
            index[: len(which)] = drawn["index"][which].tolist()
        x = pictures(index).contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16, enabled=BFLOAT16):
            y = model.decoder(model.post_quant_conv(unpatchify(tokens * deviation + mean, canvas))).float()
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
        run.tick(len(index), every=20, psnr=decibels(squared.item()))

    run.save()
    average.save_pretrained(WORK / name)


if __name__ == "__main__":
    main()
