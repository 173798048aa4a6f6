"""Train the transformer: flow matching on 16 image tokens, given the features of a caption or of nothing."""

import argparse
import copy
import json
from dataclasses import dataclass

import torch
from diffusers import Flux2Transformer2DModel
from torch import Tensor

from training.muon import Muon
from training.packages import WORK
from training.run import Run, follow
from training.text import LENGTH

WIDTH, HEAD = 256, 64
SIDE = 4  #: tokens along one side of a picture
BATCH = 96
PLAIN, COLOURED, EMPTY = 0.65, 0.25, 0.10  #: shares of the batch: plain pictures, recoloured ones, no prompt


@dataclass
class Examples:
    """Pictures and what may be said of them."""

    latents: Tensor  #: (P, 16, 128)
    features: Tensor  #: (captions, LENGTH, 384) half precision; row 0 is the empty prompt
    captions: Tensor  #: (P, most) indices into features
    weights: Tensor  #: (P, most) how likely each is; 0 where there is none
    plain: int  #: the first so many pictures are the plain ones

    def draw(self, size: int, *, empty: float = EMPTY) -> tuple[Tensor, Tensor]:
        """A batch: latents (size, 16, 128) and features (size, LENGTH, 384), a share of them of no prompt."""
        coloured = torch.rand(size) < COLOURED / (PLAIN + COLOURED)
        recoloured = torch.randint(self.plain, len(self.latents), (size,))
        index = torch.where(coloured, recoloured, torch.randint(self.plain, (size,)))
        choice = torch.multinomial(self.weights[index], 1)
        caption = self.captions[index].gather(1, choice).flatten()
        caption = torch.where(torch.rand(size) < empty, 0, caption)
        return self.latents[index], self.features[caption].float()


def examples() -> Examples:
    """What `captions`, `text` and `latents` wrote."""
    content = json.loads((WORK / "captions.json").read_text())
    place = {caption: index for index, caption in enumerate(content["captions"])}
    most = max(len(picture["forms"]) for picture in content["pictures"])
    captions = torch.zeros(len(content["pictures"]), most, dtype=torch.long)
    weights = torch.zeros(len(content["pictures"]), most)
    for row, picture in enumerate(content["pictures"]):
        for column, (form, weight) in enumerate(picture["forms"].items()):
            captions[row, column], weights[row, column] = place[form], weight
    latents, features = torch.load(WORK / "latents.pt"), torch.load(WORK / "features.pt")
    return Examples(
        latents, features, captions, weights, len(json.loads((WORK / "concepts.json").read_text()))
    )


def untrained(features: Tensor) -> Flux2Transformer2DModel:
    """The model with a zeroed output and a context embedder that whitens the text features.

    The token features of a small sentence encoder are nearly collinear: without their common direction and
    with their principal components evened out, different words look different from the first step on.
    """
    model = Flux2Transformer2DModel(
        patch_size=1,
        in_channels=128,
        num_layers=2,
        num_single_layers=4,
        attention_head_dim=HEAD,
        num_attention_heads=WIDTH // HEAD,
        joint_attention_dim=features.shape[-1],
        axes_dims_rope=(HEAD // 4,) * 4,
        guidance_embeds=False,
        mlp_ratio=3.0,
    )
    torch.nn.init.zeros_(model.proj_out.weight)
    tokens = features[torch.randperm(len(features))[:6000], :8].reshape(-1, features.shape[-1]).float()
    common = torch.nn.functional.normalize(tokens.mean(0), dim=0)
    centre = torch.eye(len(common)) - common[:, None] * common[None]
    tokens = tokens @ centre
    power, axes = torch.linalg.eigh(tokens.T @ tokens / len(tokens))
    power, axes = power.flip(0)[:WIDTH], axes.flip(1)[:, :WIDTH]
    turn = torch.linalg.qr(torch.randn(WIDTH, WIDTH))[0]
    weight = turn @ torch.diag((power + 0.005 * power[0]).rsqrt()) @ axes.T @ centre
    model.context_embedder.weight.data.copy_(weight / (tokens @ weight.T).std())
    return model


def optimisers(model: Flux2Transformer2DModel, lr: float) -> tuple[Muon, torch.optim.AdamW]:
    """Muon for the matrices inside the blocks, each of a fused projection by itself; AdamW for the rest."""
    outside = ("embed", "proj_out", "modulation", "norm_out")
    inside = {n: p for n, p in model.named_parameters() if p.ndim == 2 and not any(o in n for o in outside)}
    splits = {}
    for name, weight in inside.items():
        if "to_qkv_mlp_proj" in name:
            splits[weight] = [WIDTH] * 3 + [3 * WIDTH] * 2
        elif "linear_in" in name:
            splits[weight] = [len(weight) // 2] * 2
    rest = [p for n, p in model.named_parameters() if n not in inside]
    adam = torch.optim.AdamW(rest, lr=lr / 2, betas=(0.9, 0.98), weight_decay=0.0)
    return Muon(inside.values(), lr=lr, weight_decay=0.02, splits=splits), adam


def positions() -> tuple[Tensor, Tensor]:
    """Image and text ids as the pipeline numbers them: (16, 4) and (LENGTH, 4)."""
    one, side = torch.arange(1), torch.arange(SIDE)
    return torch.cartesian_prod(one, side, side, one), torch.cartesian_prod(
        one, one, one, torch.arange(LENGTH)
    )


def times(size: int) -> Tensor:
    """Logit-normal, shifted towards noise, where the text decides what is drawn."""
    return torch.sigmoid(torch.randn(size) + 0.5)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=65)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--compile", action="store_true")
    arguments = parser.parse_args()
    torch.manual_seed(0)

    data = examples()
    model = untrained(data.features)
    average = copy.deepcopy(model).requires_grad_(False)
    image_ids, text_ids = positions()
    muon, adam = optimisers(model, arguments.lr)
    run = Run(
        WORK / "transformer.pt",
        minutes=arguments.minutes,
        parts={"model": model, "average": average, "muon": muon, "adam": adam},
    )
    forward = torch.compile(model) if arguments.compile else model
    print(
        f"{sum(p.numel() for p in model.parameters()) / 1e6:.1f} M parameters, {len(data.latents)} pictures"
    )

    while run.unfinished:
        clean, context = data.draw(BATCH)
        t, noise = times(BATCH), torch.randn_like(clean)
        mixed = torch.lerp(clean, noise, t.view(-1, 1, 1))
        with torch.autocast("cpu", torch.bfloat16):
            velocity = forward(
                hidden_states=mixed,
                timestep=t,
                guidance=None,
                encoder_hidden_states=context,
                txt_ids=text_ids,
                img_ids=image_ids,
                return_dict=False,
            )[0]
        errors = (velocity.float() - (noise - clean)).square().mean((1, 2))
        loss = errors.mean()

        muon.param_groups[0]["lr"] = arguments.lr * run.rate(warm_up=100, decay=0.4)
        adam.param_groups[0]["lr"] = arguments.lr / 2 * run.rate(warm_up=100, decay=0.4)
        for optimiser in (muon, adam):
            optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        muon.step()
        adam.step()
        follow(average, model, decay=0.998, step=run.step)
        run.tick(BATCH, every=100, loss=loss.item(), noisy=errors[t > 0.7].mean().item())

    run.save()


if __name__ == "__main__":
    main()
