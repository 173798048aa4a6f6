"""Grow the encoder to the decoder's size by distillation: large picture in, the same frozen latents out.

What the added levels learn is to hand on what the small encoder's first layer would make of the picture, and
what the frozen rest then makes the latents of.
"""

import argparse

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKLFlux2
from torch import Tensor, nn

from training.decoder import Pictures
from training.packages import WORK
from training.run import BFLOAT16, Run
from training.vae import autoencoder

OUTER = {128: 24, 256: 16, 512: 8}  #: channels of the level that each size adds
BATCH = 8


def extended(vae: AutoencoderKLFlux2) -> AutoencoderKLFlux2:
    """The autoencoder with as many levels down as up; the trained inner levels and the decoder are kept."""
    inner = tuple(vae.config.block_out_channels)
    decoder = tuple(vae.config.decoder_block_out_channels or inner)
    added = len(decoder) - len(inner)
    outer = tuple(OUTER[64 * 2**level] for level in range(added, 0, -1))
    if not added:
        return vae
    fresh = autoencoder((*outer, *inner), decoder)
    weights = {}
    for key, weight in vae.state_dict().items():
        if key.startswith("encoder.conv_in"):
            continue
        if key.startswith("encoder.down_blocks."):
            place, _, rest = key.removeprefix("encoder.down_blocks.").partition(".")
            key = f"encoder.down_blocks.{int(place) + added}.{rest}"
        weights[key] = weight
    fresh.load_state_dict(weights, strict=False)
    for block in fresh.encoder.down_blocks[:added]:
        for resnet in block.resnets:
            nn.init.zeros_(resnet.conv2.weight)
            nn.init.zeros_(resnet.conv2.bias)
    return fresh


def entry(vae: AutoencoderKLFlux2, x: Tensor, added: int) -> Tensor:
    """What the added levels hand to the first of the old ones, (B, C, 64, 64)."""
    h = vae.encoder.conv_in(x)
    for block in vae.encoder.down_blocks[:added]:
        h = block(h)
    return h


def rest(vae: AutoencoderKLFlux2, h: Tensor, added: int) -> Tensor:
    """Latents (B, 32, height / 64, width / 64) of what the added levels hand on."""
    encoder = vae.encoder
    for block in encoder.down_blocks[added:]:
        h = block(h)
    h = encoder.conv_act(encoder.conv_norm_out(encoder.mid_block(h)))
    return vae.quant_conv(encoder.conv_out(h)).chunk(2, 1)[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--start", required=True, help="folder in work/ whose decoder is grown")
    parser.add_argument("--encoder", help="folder in work/ whose encoder to go on with")
    parser.add_argument("--name", default="vae-512", help="folder in work/ to write to")
    parser.add_argument("--minutes", type=float, default=3)
    parser.add_argument("--lr", type=float, default=4e-3)
    arguments = parser.parse_args()
    torch.manual_seed(0)

    small = AutoencoderKLFlux2.from_pretrained(WORK / "vae-64").eval().requires_grad_(False)
    model = extended(AutoencoderKLFlux2.from_pretrained(WORK / arguments.start)).requires_grad_(False)
    model = model.to(memory_format=torch.channels_last)
    added = len(model.config.block_out_channels) - len(small.config.block_out_channels)
    pictures = Pictures(64 * 2**added)
    if arguments.encoder:
        known = AutoencoderKLFlux2.from_pretrained(WORK / arguments.encoder)
        model.encoder.load_state_dict(known.encoder.state_dict())
    outer = nn.ModuleList([model.encoder.conv_in, *model.encoder.down_blocks[:added]]).requires_grad_(True)
    adam = torch.optim.AdamW(outer.parameters(), lr=arguments.lr, betas=(0.9, 0.98), weight_decay=0)
    run = Run(WORK / f"{arguments.name}.pt", minutes=arguments.minutes, parts={"outer": outer, "adam": adam})

    while run.unfinished:
        x = pictures(pictures.choose(BATCH)[0]).contiguous(memory_format=torch.channels_last)
        with torch.no_grad():
            reduced = F.avg_pool2d(x, pictures.size // 64)
            handed = entry(small, reduced, 0)
            wanted = rest(small, handed, 0)
        with torch.autocast("cpu", torch.bfloat16, enabled=BFLOAT16):
            h = entry(model, x, added).float()
            z = rest(model, h, added).float()
        error = F.mse_loss(z, wanted) / wanted.square().mean()
        loss = error + F.mse_loss(h, handed) / handed.square().mean()
        adam.param_groups[0]["lr"] = arguments.lr * run.rate(warm_up=20, decay=0.6)
        adam.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(outer.parameters(), 1.0)
        adam.step()
        run.tick(len(x), every=20, loss=loss.item(), error=error.item())

    with torch.inference_mode():
        square = [i for i, scene in enumerate(pictures.scenes) if scene.canvas == (4, 4)]
        x = pictures(square[:: len(square) // 100])
        wanted = small.encode(F.avg_pool2d(x, pictures.size // 64)).latent_dist.mean
        found = torch.cat([model.encode(batch).latent_dist.mean for batch in x.split(BATCH)])
    print(f"latents: {(found - wanted).square().mean() / wanted.square().mean():.4f} of their power is error")
    model.save_pretrained(WORK / arguments.name)


if __name__ == "__main__":
    main()
