"""Judge the exported folder: draw the fixed sheet with the stock pipeline, and count what is drawn right.

A drawn picture counts as right when the nearest of all training latents is the one that was asked for.
"""

import argparse
import json
import random
import time
import tomllib
from pathlib import Path

import torch
from diffusers import Flux2KleinPipeline
from PIL import Image
from torch import Tensor

from training.drawn import draw
from training.export import FOLDER
from training.packages import WORK
from training.sheet import PROMPTS, laid_out
from training.text import features

SHEET = Path(__file__).parent.parent / "docs" / "checkpoint" / "sheet.png"


def pictures(
    pipeline: Flux2KleinPipeline, prompts: list[str], sidecar: dict, *, guidance: float, steps: int, seed: int
) -> list[Image.Image]:
    """Drawn through the stock pipeline at the native size, each prompt with its own seed."""
    width, height = sidecar["canvas"]["native"][0]
    return [
        pipeline(
            prompt=prompt,
            width=width,
            height=height,
            guidance_scale=guidance,
            num_inference_steps=steps,
            generator=torch.Generator().manual_seed(seed + place),
            text_encoder_out_layers=tuple(sidecar["text"]["layers"]),
            max_sequence_length=sidecar["text"]["max_length"],
        ).images[0]
        for place, prompt in enumerate(prompts)
    ]


def nearest(pipeline: Flux2KleinPipeline, prompts: list[str], latents: Tensor, *, guidance: float) -> Tensor:
    """For each prompt the index of the training latent nearest to what is drawn, (N,)."""
    context = features(["", *prompts], pipeline.text_encoder, pipeline.tokenizer).float()
    noise = torch.randn(len(prompts), *latents.shape[1:], generator=torch.Generator().manual_seed(3))
    drawn = torch.cat(
        [
            draw(pipeline.transformer, part, context[0], start, guidance=guidance, steps=20)
            for part, start in zip(context[1:].split(64), noise.split(64), strict=True)
        ]
    )
    return torch.cdist(drawn.flatten(1), latents.flatten(1)).argmin(1)


def retrieval(pipeline: Flux2KleinPipeline, guidance: float, count: int) -> None:
    """Print the share that is right for labels, for held-out names and for colours."""
    content = json.loads((WORK / "captions.json").read_text())
    labels, latents = json.loads((WORK / "concepts.json").read_text()), torch.load(WORK / "latents.pt")
    concept = torch.tensor([picture["concept"] for picture in content["pictures"]])
    chance = random.Random(5)
    asked = chance.sample(range(len(labels)), count)
    cases = {
        "training captions": (
            [max(content["pictures"][i]["forms"], key=content["pictures"][i]["forms"].get) for i in asked],
            asked,
        ),
        "held-out names": ([name for name, _ in content["held out"]], [i for _, i in content["held out"]]),
    }
    for name, (prompts, wanted) in cases.items():
        found = concept[nearest(pipeline, prompts, latents, guidance=guidance)]
        right = found == torch.tensor(wanted)
        print(f"{name}: {right.sum()} of {len(right)} at guidance {guidance}")
        wrong = [f"{p} → {labels[f]}" for p, f, r in zip(prompts, found, right, strict=True) if not r]
        print("   ", "; ".join(wrong[:30]))
    painted = chance.sample(range(len(labels), len(latents)), count // 2)
    prompts = [max(content["pictures"][i]["forms"], key=content["pictures"][i]["forms"].get) for i in painted]
    found = nearest(pipeline, prompts, latents, guidance=guidance)
    right, thing = found == torch.tensor(painted), concept[found] == concept[torch.tensor(painted)]
    print(
        f"colours: {right.sum()} of {len(right)} right, {thing.sum()} the right thing, at guidance {guidance}"
    )
    print("   ", "; ".join(p for p, r in zip(prompts, right, strict=True) if not r)[:600])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=FOLDER)
    parser.add_argument("--sheet", type=Path, default=SHEET)
    parser.add_argument("--guidance", type=float, default=4.5)
    parser.add_argument("--steps", type=int, default=25)
    parser.add_argument(
        "--count", type=int, default=160, help="captions asked for the retrieval figures; 0: none"
    )
    arguments = parser.parse_args()
    pipeline = Flux2KleinPipeline.from_pretrained(arguments.folder, dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    sidecar = tomllib.loads((arguments.folder / "tintype.toml").read_text())
    prompts = [prompt for group in PROMPTS.values() for prompt in group]
    started = time.monotonic()
    drawn = pictures(pipeline, prompts, sidecar, guidance=arguments.guidance, steps=arguments.steps, seed=100)
    print(f"{(time.monotonic() - started) / len(prompts):.2f} s a picture")
    arguments.sheet.parent.mkdir(parents=True, exist_ok=True)
    laid_out(drawn, prompts).quantize(256).save(arguments.sheet, optimize=True)
    if arguments.count:
        retrieval(pipeline, arguments.guidance, arguments.count)


if __name__ == "__main__":
    main()
