"""Latents as the transformer draws them for training captions, for the decoder to learn: `work/drawn.pt`.

Draws with classifier-free guidance, as the pipeline does, at several guidances and numbers of steps.
"""

import argparse
import random
from itertools import pairwise

import torch
from diffusers import Flux2Transformer2DModel
from torch import Tensor

from training.examples import Examples
from training.packages import WORK
from training.scenes import SQUARE
from training.transformer import Drawing, untrained

SETTINGS = ((4.5, 10), (4.5, 20), (3.5, 12), (4.5, 12), (6.0, 14))  #: guidance and steps


@torch.inference_mode()
def draw(
    model: Flux2Transformer2DModel,
    context: Tensor,
    empty: Tensor,
    noise: Tensor,
    *,
    guidance: float,
    steps: int,
    canvas: tuple[int, int] = SQUARE,
    given: Tensor | None = None,
) -> Tensor:
    """Euler steps from noise (B, tokens, 128) to latents, for contexts (B, LENGTH, 384) and an empty one."""
    forward = Drawing(model)
    both = torch.cat([context, empty.expand_as(context)])
    twice = None if given is None else torch.cat([given, given])
    sigmas = torch.linspace(1, 0, steps + 1)
    x = noise
    for sigma, following in pairwise(sigmas):
        velocity = forward(torch.cat([x, x]), sigma.expand(len(both)), both, canvas, twice)
        asked, plain = velocity.chunk(2)
        x = x + (following - sigma) * (plain + guidance * (asked - plain))
    return x


def trained(features: Tensor, name: str = "transformer.pt") -> Flux2Transformer2DModel:
    """The averaged weights of `transformer`."""
    model = untrained(features)
    model.load_state_dict(torch.load(WORK / name, weights_only=True)["average"])
    return model.eval().requires_grad_(False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=3000)
    arguments = parser.parse_args()
    torch.manual_seed(7)
    data = Examples()
    model = trained(data.features)
    index = data.scenes(arguments.pictures, SQUARE)
    chosen = data.said.draw(index)
    wanted = data.tokens(index)
    tokens = torch.empty(len(index), *wanted.shape[1:], dtype=torch.float16)
    for start in range(0, len(index), 96):
        context = data.features[chosen[start : start + 96]].float()
        guidance, steps = random.Random(start).choice(SETTINGS)
        noise = torch.randn(len(context), *wanted.shape[1:])
        x = draw(model, context, data.features[0].float(), noise, guidance=guidance, steps=steps)
        tokens[start : start + 96] = x.half()
    errors = (tokens.float() - wanted).square().mean((1, 2))
    print(
        f"{len(index)} drawn; squared error of the latents: "
        f"median {errors.median():.3f}, mean {errors.mean():.3f}"
    )
    near = errors < 0.5  # what came out as something else would teach the decoder to paint over
    torch.save({"index": index[near], "tokens": tokens[near]}, WORK / "drawn.pt")


if __name__ == "__main__":
    main()
