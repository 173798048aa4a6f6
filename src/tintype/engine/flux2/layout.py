"""Layouts: which image tokens a job takes to a forward pass. Jobs of one layout can share it."""

from dataclasses import dataclass

import torch
from torch import Tensor

from tintype.engine.flux2.canvas import Canvas

_APART = 10
"""How far a reference picture is, in time, from the one before it and the first from what is drawn."""


@dataclass(frozen=True)
class Layout:
    """The tokens that are drawn, and then those of each reference picture."""

    drawn: Canvas
    references: tuple[Canvas, ...] = ()

    @property
    def tokens(self) -> int:
        return self.drawn.tokens + sum(grid.tokens for grid in self.references)


def image_positions(layout: Layout) -> Tensor:
    """(tokens, 4), int64: time, row, column, layer of each image token."""
    grids = (layout.drawn, *layout.references)
    return torch.cat([_grid_positions(grid, _APART * index) for index, grid in enumerate(grids)])


def _grid_positions(grid: Canvas, time: int) -> Tensor:
    rows, columns = torch.arange(grid.rows), torch.arange(grid.columns)
    return torch.cartesian_prod(torch.tensor([time]), rows, columns, torch.arange(1))


def text_positions(length: int) -> Tensor:
    """(length, 4), int64: text tokens differ in their last coordinate alone."""
    one = torch.arange(1)
    return torch.cartesian_prod(one, one, one, torch.arange(length))
