"""Rotary embeddings are computed once per layout, and forgotten before they fill the memory."""

import torch
from torch import Tensor, nn

from tintype.engine.flux2.canvas import Canvas
from tintype.engine.flux2.layout import Layout, image_positions
from tintype.engine.flux2.positions import RememberedPositions


class Counted(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def forward(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        self.calls += 1
        return positions.cos(), positions.sin()


def test_the_same_positions_are_embedded_once() -> None:
    embed = Counted()
    remembered, positions = RememberedPositions(embed), torch.zeros(16, 4)

    assert remembered(positions) is remembered(positions)
    assert embed.calls == 1


def test_remembered_positions_stay_within_their_memory() -> None:
    remembered = RememberedPositions(Counted())
    layouts = [torch.zeros(2**17, 4) for _ in range(4)]

    for positions in layouts:
        remembered(positions)
    remembered(torch.zeros(2**19, 4))

    assert [len(positions) for positions, _ in remembered._known.values()] == [2**19]


def test_references_stand_apart_in_time() -> None:
    layout = Layout(drawn=Canvas(1, 2), references=(Canvas(2, 1), Canvas(1, 1)))

    assert image_positions(layout).tolist() == [
        [0, 0, 0, 0],
        [0, 0, 1, 0],
        [10, 0, 0, 0],
        [10, 1, 0, 0],
        [20, 0, 0, 0],
    ]
    assert layout.tokens == 5
