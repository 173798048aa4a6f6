"""Train the transformer: flow matching on the tokens of scenes, given features of a caption or of nothing.

Classifier-free guidance g moves along v = v₀ + g·(v₁ − v₀), with v₀ for no prompt and v₁ for the caption. A
model trained on plain flow matching is right at g = 1 and best in practice at about 2; at 4.5, the default of
the interface, it overshoots. So the guided velocity itself is trained, at g = 4.5 / 2: then 4.5 is the best.

Of edits, the tokens of the picture that is given follow those that are drawn, as the pipeline appends
reference pictures.
"""

import argparse
import copy
import random

import torch
from diffusers import Flux2Transformer2DModel
from torch import Tensor

from training.company import Company
from training.examples import EDITS, Examples
from training.muon import Muon
from training.packages import WORK
from training.run import BFLOAT16, Run, follow
from training.scenes import SQUARE
from training.text import LENGTH

WIDTH, HEAD = 256, 64
BEST, DEFAULT = 2.0, 4.5  #: the guidance that draws best after plain flow matching, and the one that shall
DECAY = 0.6  #: the share of the budget over which the learning rate falls, at the end
APART = 10  #: how far in time a reference picture lies from what is drawn, as in the pipeline


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


def grid(canvas: tuple[int, int], time: int = 0) -> Tensor:
    """Ids of the tokens of one picture as the pipeline numbers them, (columns · rows, 4)."""
    columns, rows = canvas
    return torch.cartesian_prod(
        torch.tensor([time]), torch.arange(rows), torch.arange(columns), torch.arange(1)
    )


def text_ids() -> Tensor:
    """(LENGTH, 4)."""
    one = torch.arange(1)
    return torch.cartesian_prod(one, one, one, torch.arange(LENGTH))


def image_ids(canvas: tuple[int, int], *, given: bool = False) -> Tensor:
    """Those of what is drawn, and those of a square reference picture behind them."""
    return torch.cat([grid(canvas), grid(SQUARE, APART)]) if given else grid(canvas)


class Drawing:
    """Calls the transformer as the pipeline does; `compile` where there is time to warm up."""

    def __init__(self, model: Flux2Transformer2DModel, *, compiled: bool = False) -> None:
        self._forward = torch.compile(model, dynamic=False) if compiled else model
        self._text = text_ids()

    def __call__(
        self, x: Tensor, t: Tensor, context: Tensor, canvas: tuple[int, int], given: Tensor | None = None
    ) -> Tensor:
        """The velocity (B, tokens, 128) at x (B, tokens, 128) and t (B,)."""
        whole = x if given is None else torch.cat([x, given], 1)
        with torch.autocast("cpu", torch.bfloat16, enabled=BFLOAT16):
            velocity = self._forward(
                hidden_states=whole,
                timestep=t,
                guidance=None,
                encoder_hidden_states=context,
                txt_ids=self._text,
                img_ids=image_ids(canvas, given=given is not None),
                return_dict=False,
            )[0]
        return velocity[:, : x.shape[1]].float()


def times(size: int) -> Tensor:
    """Logit-normal, shifted towards noise, where the text decides what is drawn."""
    return torch.sigmoid(torch.randn(size) + 0.8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=65)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--start", help="file in work/ with weights to start from")
    parser.add_argument("--name", default="transformer.pt", help="file in work/")
    parser.add_argument("--edits", type=float, default=EDITS, help="share of the batches that are edits")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--beside", help="another name: a second run, on a core of its own, of the training")
    arguments = parser.parse_args()
    beside = arguments.beside or ""
    torch.manual_seed(len(beside))
    random.seed(len(beside))

    data = Examples(edits=arguments.edits)
    model = untrained(data.features)
    if arguments.start:
        model.load_state_dict(torch.load(WORK / arguments.start, weights_only=True)["average"])
    company = Company(model, "transformer", beside or "first", join=bool(beside))
    average = copy.deepcopy(model).requires_grad_(False)
    muon, adam = optimisers(model, arguments.lr)
    run = Run(
        WORK / f"{beside}{arguments.name}",
        minutes=arguments.minutes,
        parts={"model": model, "average": average, "muon": muon, "adam": adam},
    )
    forward = Drawing(model, compiled=arguments.compile)
    print(f"{sum(p.numel() for p in model.parameters()) / 1e6:.1f} M parameters, {len(data.latents)} scenes")
    empty = data.features[0].float()

    while run.unfinished:
        batch = data.draw()
        size = len(batch.clean)
        t, noise = times(size), torch.randn_like(batch.clean)
        mixed = torch.lerp(batch.clean, noise, t.view(-1, 1, 1))
        asked = forward(mixed, t, batch.context, batch.canvas, batch.given)
        with torch.no_grad():
            plain = forward(mixed, t, empty.expand_as(batch.context), batch.canvas, batch.given)
        guided = plain + DEFAULT / BEST * (asked - plain)
        errors = (guided - (noise - batch.clean)).square().mean((1, 2))
        loss = errors.mean()
        data.learn(batch, t, errors.detach())

        lr = arguments.lr * run.rate(warm_up=20 if beside else 100, decay=DECAY)
        muon.param_groups[0]["lr"], adam.param_groups[0]["lr"] = lr, lr / 2
        for optimiser in (muon, adam):
            optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        muon.step()
        adam.step()
        company.step()
        follow(average, model, decay=0.995, step=run.step)
        kind = "edit" if batch.given is not None else "square" if batch.canvas == SQUARE else "oblong"
        run.tick(size, every=100, **{kind: loss.item()})

    run.save()


if __name__ == "__main__":
    main()
