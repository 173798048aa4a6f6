"""Muon: momentum whose update is made orthogonal. Trains convolutions here in fewer passes than AdamW."""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from training.run import BFLOAT16


def orthogonal(gradient: Tensor, iterations: int = 5) -> Tensor:
    """The nearest matrix with singular values around 1, by Newton-Schulz iteration (Jordan et al., 2024)."""
    x = (gradient / (gradient.norm() + 1e-7)).to(torch.bfloat16 if BFLOAT16 else torch.float32)
    if tall := x.shape[0] > x.shape[1]:
        x = x.T
    for _ in range(iterations):
        gram = x @ x.T
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=-4.775, alpha=2.0315), x, beta=3.4445)
    return (x.T if tall else x).float()


class Muon(torch.optim.Optimizer):
    """For weights of two or more dimensions; the first one is taken as rows.

    `splits` names the weights that hold several matrices one below the other, and their numbers of rows.
    """

    def __init__(
        self,
        parameters: Iterable[Tensor],
        *,
        lr: float,
        momentum: float = 0.95,
        weight_decay: float = 0.01,
        splits: Mapping[Tensor, list[int]] | None = None,
    ) -> None:
        self.splits = dict(splits or {})
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        for group in self.param_groups:
            lr, keep = group["lr"], group["momentum"]
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                slow = self.state[weight].setdefault("slow", torch.zeros_like(weight))
                slow.lerp_(weight.grad, 1 - keep)
                rows = weight.grad.lerp(slow, keep).reshape(weight.shape[0], -1)
                parts = rows.split(self.splits.get(weight, [len(rows)]))
                update = torch.cat([orthogonal(part) * max(part.shape) ** 0.5 for part in parts])
                weight.mul_(1 - lr * group["weight_decay"]).add_(
                    update.reshape(weight.shape), alpha=-lr * 0.2
                )
