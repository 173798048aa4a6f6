"""Fine-tune the transformer so that the default guidance draws what it drew at its best guidance before.

Classifier-free guidance g moves along v = v₀ + g·(v₁ − v₀), with v₀ for no prompt and v₁ for the caption. A
model trained on plain flow matching is right at g = 1 and best in practice at about 2; at 4.5, the default of
the interface, it overshoots. Here the guided velocity itself is trained, at g = 4.5 / 2, so that 4.5 becomes
the best.
"""

import argparse
import copy
import random

import torch
from torch import Tensor

from training.company import Company
from training.examples import EDITS, Batch, Examples
from training.packages import WORK
from training.run import Run, follow
from training.scenes import SQUARE
from training.transformer import Drawing, optimisers, times, untrained

BEST, DEFAULT = 2.0, 4.5  #: the guidance that drew best, and the one that shall
BATCH = 64
PLAIN = 0.3  #: weight of the loss without a prompt


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=15)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--start", default="transformer.pt", help="file in work/")
    parser.add_argument("--edits", type=float, default=EDITS, help="share of the batches that are edits")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--beside", help="another name: a second run, on a core of its own, of the training")
    arguments = parser.parse_args()
    beside = arguments.beside or ""
    torch.manual_seed(1 + len(beside))
    random.seed(1 + len(beside))

    data = Examples(edits=arguments.edits)
    model = untrained(data.features)
    model.load_state_dict(torch.load(WORK / arguments.start, weights_only=True)["average"])
    company = Company(model, "calibrated", beside or "first", join=bool(beside))
    average = copy.deepcopy(model).requires_grad_(False)
    muon, adam = optimisers(model, arguments.lr)
    run = Run(
        WORK / f"{beside}calibrated.pt",
        minutes=arguments.minutes,
        parts={"model": model, "average": average, "muon": muon, "adam": adam},
    )
    forward = Drawing(model, compiled=arguments.compile)
    empty = data.features[0].float()

    def velocities(mixed: Tensor, t: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        context = torch.cat([batch.context, empty.expand_as(batch.context)])
        given = None if batch.given is None else torch.cat([batch.given, batch.given])
        both = forward(torch.cat([mixed, mixed]), torch.cat([t, t]), context, batch.canvas, given)
        asked, plain = both.chunk(2)
        return asked, plain

    while run.unfinished:
        batch = data.draw(empty=0, size=BATCH)
        size = len(batch.clean)
        t, noise = times(size), torch.randn_like(batch.clean)
        mixed = torch.lerp(batch.clean, noise, t.view(-1, 1, 1))
        asked, plain = velocities(mixed, t, batch)
        wanted = noise - batch.clean
        guided = plain.detach() + DEFAULT / BEST * (asked - plain.detach())
        errors = (guided - wanted).square().mean((1, 2))
        data.learn(batch, t, errors.detach())
        loss = errors.mean() + PLAIN * (plain - wanted).square().mean()

        muon.param_groups[0]["lr"] = arguments.lr * run.rate(warm_up=50, decay=0.7)
        adam.param_groups[0]["lr"] = arguments.lr / 2 * run.rate(warm_up=50, decay=0.7)
        for optimiser in (muon, adam):
            optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        muon.step()
        adam.step()
        company.step()
        follow(average, model, decay=0.995, step=run.step)
        kind = "edit" if batch.given is not None else "square" if batch.canvas == SQUARE else "oblong"
        run.tick(size, every=50, **{kind: errors.mean().item()})

    run.save()


if __name__ == "__main__":
    main()
