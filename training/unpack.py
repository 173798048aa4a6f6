"""Take the folder that ships apart again, to train on from it.

`work/shipped.pt` is its transformer and `work/decoder-512` its autoencoder. The small autoencoders are found
again as well: `work/vae-64`, by whose encoder latents are made, and `work/decoder-128`. Growing has replaced
the layers by which small pictures enter and leave. Both are linear: least squares gives back the last one
from what the transformer draws, and nearly the first one from what the grown encoder hands on, which has
lost some of the colours; a few minutes of training find those again.
"""

import argparse
import random
from pathlib import Path

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKLFlux2, Flux2Transformer2DModel
from torch import Tensor

from training.decoder import Pictures
from training.drawn import draw
from training.encoder import entry
from training.export import FOLDER
from training.latents import scale, small_pictures, unpatchify
from training.packages import WORK
from training.run import Run
from training.scenes import SQUARE, Scene, load
from training.text import features
from training.text import load as load_text
from training.vae import CHANNELS, autoencoder, decibels, unit

PICTURES = 64


def fitted(layer: torch.nn.Conv2d, x: Tensor, wanted: Tensor) -> None:
    """Give a 3 × 3 convolution the weights that come nearest to `wanted`, (B, C, H, W), from `x`."""
    columns = F.unfold(x, 3, padding=1).transpose(1, 2).flatten(0, 1)
    columns = torch.cat([columns, torch.ones(len(columns), 1)], 1)
    values = wanted.permute(0, 2, 3, 1).flatten(0, 2)
    gram, right = (columns.T @ columns).double(), (columns.T @ values).double()
    ridge = 1e-6 * len(columns) * torch.eye(len(gram), dtype=torch.float64)
    found = torch.linalg.solve(gram + ridge, right).float()
    layer.weight.copy_(found[:-1].T.reshape(layer.weight.shape))
    layer.bias.copy_(found[-1])


def inner(grown: AutoencoderKLFlux2, decoder: tuple[int, ...]) -> AutoencoderKLFlux2:
    """The autoencoder that was grown, with as many levels up as `decoder` names; two layers are untrained."""
    small = autoencoder(CHANNELS, decoder).eval()
    added = len(grown.config.block_out_channels) - len(CHANNELS)
    weights = {}
    for key, weight in grown.state_dict().items():
        if key.startswith("encoder.down_blocks."):
            place, _, rest = key.removeprefix("encoder.down_blocks.").partition(".")
            key = f"encoder.down_blocks.{int(place) - added}.{rest}"
        weights[key] = weight
    known = small.state_dict()
    fitting = {k: w for k, w in weights.items() if k in known and known[k].shape == w.shape}
    small.load_state_dict(fitting, strict=False)
    return small


def leaving(vae: AutoencoderKLFlux2, z: Tensor) -> Tensor:
    """What the last layer of the decoder makes pixels of, (B, C, H, W)."""
    found: list[Tensor] = []
    hook = vae.decoder.conv_out.register_forward_pre_hook(lambda _, inputs: found.append(inputs[0]))
    vae.decode(z)
    hook.remove()
    return found[0]


@torch.inference_mode()
def known(
    grown: AutoencoderKLFlux2, transformer: Flux2Transformer2DModel, context: Tensor
) -> tuple[Tensor, Tensor]:
    """Latents (N, 32, 8, 8) that the transformer draws, and the pictures (N, 3, 128, 128) they stand for.

    `context` are the text features, (1 + N, LENGTH, 384), of the empty prompt and of the captions.
    """
    noise = torch.randn(len(context) - 1, 16, 128)
    tokens = draw(transformer, context[1:], context[0], noise, guidance=4.5, steps=12)
    mean, deviation = scale(grown)
    z = unpatchify(tokens * deviation + mean)
    factor = grown.config.sample_size // 128
    return z, torch.cat([F.avg_pool2d(grown.decode(one).sample.clamp(-1, 1), factor) for one in z.split(2)])


def learned_entry(vae: AutoencoderKLFlux2, scenes: list[Scene], minutes: float) -> None:
    """Train the first layer alone, so that pictures survive the way there and back."""
    small = small_pictures(scenes)
    pictures = torch.stack([small[i] for i, scene in enumerate(scenes) if scene.canvas == SQUARE])
    layer = vae.encoder.conv_in.requires_grad_(True)
    adam = torch.optim.Adam(layer.parameters(), betas=(0.9, 0.98))
    run = Run(WORK / "entry.pt", minutes=minutes, parts={"layer": layer, "adam": adam})
    while run.unfinished:
        x = unit(pictures[torch.randint(len(pictures), (16,))])
        error = vae.decode(vae.encode(x).latent_dist.mean).sample - x
        squared, colour = error.square().mean(), (error - error.mean(1, keepdim=True)).square().mean()
        adam.param_groups[0]["lr"] = 2e-3 * run.rate(warm_up=5, decay=1)
        adam.zero_grad(set_to_none=True)
        (squared + 0.5 * colour).backward()
        adam.step()
        run.tick(16, every=10, psnr=decibels(squared.item()))
    run.save()
    vae.requires_grad_(False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=FOLDER)
    parser.add_argument("--minutes", type=float, default=3)
    arguments = parser.parse_args()
    torch.manual_seed(0)
    random.seed(0)

    grown = AutoencoderKLFlux2.from_pretrained(arguments.folder / "vae", dtype=torch.float32)
    grown.eval().requires_grad_(False).save_pretrained(WORK / "decoder-512")
    transformer = Flux2Transformer2DModel.from_pretrained(arguments.folder / "transformer").float()
    torch.save({"average": transformer.state_dict()}, WORK / "shipped.pt")
    scenes, _ = load()
    single = [scene for scene in scenes if scene.kind in ("plain", "recoloured")]
    captions = [scene.caption for scene in random.sample(single, PICTURES)]
    text = load_text(arguments.folder / "text_encoder", arguments.folder / "tokenizer")
    z, drawn = known(grown, transformer.eval(), features(["", *captions], *text).float())
    decoder = tuple(grown.config.decoder_block_out_channels)
    small = inner(grown, CHANNELS).requires_grad_(False)
    fitted(small.decoder.conv_out, leaving(small, z), F.avg_pool2d(drawn, 2))
    added = len(decoder) - len(CHANNELS)
    real = Pictures(64 * 2**added)
    batches = [real([i]) for i in range(0, 1280, 20)]
    fitted(
        small.encoder.conv_in,
        torch.cat([F.avg_pool2d(x, 2**added) for x in batches]),
        torch.cat([entry(grown, x, added) for x in batches]),
    )
    learned_entry(small, scenes, arguments.minutes)
    small.save_pretrained(WORK / "vae-64")

    middle = inner(grown, decoder[-len(CHANNELS) - 1 :]).requires_grad_(False)
    fitted(middle.decoder.conv_out, leaving(middle, z), drawn)
    middle.encoder.load_state_dict(small.encoder.state_dict())
    middle.save_pretrained(WORK / "decoder-128")


if __name__ == "__main__":
    main()
