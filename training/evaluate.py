"""Judge the exported folder: draw the fixed sheet with the stock pipeline, and count what is drawn right.

Draws the picture at the head of the README, too.

A drawn picture counts as right when the nearest of all training latents is the one that was asked for.
"""

import argparse
import json
import random
import time
import tomllib
from functools import partial
from pathlib import Path

import torch
from diffusers import Flux2KleinPipeline
from PIL import Image
from torch import Tensor

from training.captions import plain
from training.drawn import draw
from training.export import FOLDER
from training.packages import WORK
from training.scenes import CANVASES, SQUARE, load
from training.sheet import PROMPTS, SHOWN, laid_out, tiled
from training.text import features

DOCS = Path(__file__).parent.parent / "docs"


def pictures(
    pipeline: Flux2KleinPipeline, prompts: list[str], *, sidecar: dict, guidance: float, steps: int, seed: int
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


def nearest(
    pipeline: Flux2KleinPipeline,
    prompts: list[str],
    latents: Tensor,
    *,
    guidance: float,
    canvas: tuple[int, int] = SQUARE,
) -> Tensor:
    """For each prompt the index of the training latent nearest to what is drawn, (N,)."""
    pictures = drawn(pipeline, prompts, guidance=guidance, canvas=canvas)
    return torch.cdist(pictures.flatten(1), latents.flatten(1)).argmin(1)


def drawn(
    pipeline: Flux2KleinPipeline, prompts: list[str], *, guidance: float, canvas: tuple[int, int] = SQUARE
) -> Tensor:
    """Latents (N, tokens, 128)."""
    context = features(["", *prompts], pipeline.text_encoder, pipeline.tokenizer).float()
    tokens = canvas[0] * canvas[1]
    noise = torch.randn(len(prompts), tokens, 128, generator=torch.Generator().manual_seed(3))
    parts = [
        draw(pipeline.transformer, part, context[0], start, guidance=guidance, steps=20, canvas=canvas)
        for part, start in zip(context[1:].split(64), noise.split(64), strict=True)
    ]
    return torch.cat(parts)


def retrieval(pipeline: Flux2KleinPipeline, guidance: float, count: int) -> None:
    """Print the share that is right for each kind of scene with one thing, and for held-out names."""
    scenes, content = load()
    labels, everything = json.loads((WORK / "concepts.json").read_text()), torch.load(WORK / "latents.pt")
    square = [i for i, scene in enumerate(scenes) if scene.kind in ("plain", "recoloured", "styled")]
    latents = torch.stack([everything[i] for i in square]).float()
    concept = torch.tensor([scenes[i].concept for i in square])
    chance = random.Random(5)
    cases: dict[str, tuple[list[str], list[int]]] = {}
    for kind in ("plain", "recoloured", "styled"):
        rows = chance.sample([row for row, i in enumerate(square) if scenes[i].kind == kind], count)
        captions = [scenes[square[row]].caption for row in rows]
        cases[kind] = captions, rows
    for kind, (prompts, rows) in cases.items():
        found = nearest(pipeline, prompts, latents, guidance=guidance)
        right, thing = found == torch.tensor(rows), concept[found] == concept[torch.tensor(rows)]
        print(
            f"{kind}: {right.sum()} of {len(right)} right, {thing.sum()} the right thing, guidance {guidance}"
        )
        print("   ", "; ".join(p for p, r in zip(prompts, right, strict=True) if not r)[:600])
    for canvas in CANVASES[1:]:
        shown = [i for i, scene in enumerate(scenes) if scene.kind == "oblong" and scene.canvas == canvas]
        known = torch.stack([everything[i] for i in shown]).float()
        rows = chance.sample(range(len(shown)), count)
        prompts = [scenes[shown[row]].caption for row in rows]
        found = nearest(pipeline, prompts, known, guidance=guidance, canvas=canvas)
        right = sum(
            scenes[shown[got]].sprites == scenes[shown[row]].sprites
            for got, row in zip(found.tolist(), rows, strict=True)
        )
        print(f"{canvas[0]} by {canvas[1]} tokens: {right} of {count} right")
    prompts, wanted = [name for name, _ in content["held out"]], [i for _, i in content["held out"]]
    found = concept[nearest(pipeline, prompts, latents, guidance=guidance)]
    right = found == torch.tensor(wanted)
    print(f"held-out names: {right.sum()} of {len(right)}")
    wrong = [f"{p} → {labels[f]}" for p, f, r in zip(prompts, found.tolist(), right, strict=True) if not r]
    print("   ", "; ".join(wrong))


def named(pipeline: Flux2KleinPipeline, guidance: float, count: int) -> None:
    """Print how often a judge that knows other vendors' pictures alone ranks the right name in the top five.

    The judge is kernel ridge regression from latents to the text features of names, fitted to the styled
    pictures; the same figure for the real pictures is its ceiling.
    """
    scenes, content = load()
    everything = torch.load(WORK / "latents.pt")
    features_of = torch.load(WORK / "features.pt", mmap=True)
    place = {caption: index for index, caption in enumerate(content["captions"])}
    names = [plain(label) for label in json.loads((WORK / "concepts.json").read_text())]
    targets = torch.stack([features_of[place[name]].float()[:8].mean(0) for name in names])
    targets = torch.nn.functional.normalize(targets - targets.mean(0), dim=1)
    other = [i for i, scene in enumerate(scenes) if scene.kind == "styled"]
    known = torch.tensor([scenes[i].concept for i in other])
    x = torch.stack([everything[i] for i in other]).float().flatten(1)

    def alike(first: Tensor) -> Tensor:
        return torch.exp(-torch.cdist(first, x).square() / x.shape[1])

    weights = torch.linalg.solve(alike(x) + 0.1 * torch.eye(len(x)), targets[known])
    asked = random.Random(6).sample(sorted(set(known.tolist())), count)
    originals = torch.stack([everything[i] for i in asked]).float()
    pictures = drawn(pipeline, [names[i] for i in asked], guidance=guidance)
    for title, latents in (("drawn", pictures), ("the real pictures", originals)):
        said = torch.nn.functional.normalize(alike(latents.flatten(1)) @ weights, dim=1) @ targets.T
        rank = (said > said.gather(1, torch.tensor(asked)[:, None])).sum(1)
        print(f"name in the top 5 of {len(names)}: {(rank < 5).sum()} of {count} for {title}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=FOLDER)
    parser.add_argument("--to", type=Path, default=DOCS, help="a folder for both pictures")
    parser.add_argument("--guidance", type=float, default=4.5)
    parser.add_argument("--steps", type=int, default=25)
    parser.add_argument(
        "--count", type=int, default=100, help="captions asked for the retrieval figures; 0: none"
    )
    arguments = parser.parse_args()
    pipeline = Flux2KleinPipeline.from_pretrained(arguments.folder, dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    sidecar = tomllib.loads((arguments.folder / "tintype.toml").read_text())
    prompts = [prompt for group in PROMPTS.values() for prompt in group]
    draw_all = partial(
        pictures, pipeline, sidecar=sidecar, guidance=arguments.guidance, steps=arguments.steps
    )
    started = time.monotonic()
    sheet = laid_out(draw_all(prompts, seed=100), prompts)
    print(f"{(time.monotonic() - started) / len(prompts):.2f} s a picture")
    first = tiled(draw_all(list(SHOWN), seed=0))
    for name, picture in (("checkpoint/sheet.png", sheet), ("pictures/first.png", first)):
        path = arguments.to / name
        path.parent.mkdir(parents=True, exist_ok=True)
        picture.quantize(256).save(path, optimize=True)
    if arguments.count:
        retrieval(pipeline, arguments.guidance, arguments.count)
        named(pipeline, arguments.guidance, arguments.count)


if __name__ == "__main__":
    main()
