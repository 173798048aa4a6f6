"""Rows of a forward pass, divided among threads."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tintype.engine.flux2.divided import Divided

ALL = 3


class Rows(nn.Module):
    """Stands for a transformer: what comes out of a row depends on that row alone."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4).requires_grad_(False)
        self.passes: list[tuple[int, int, bool]] = []
        """Rows, threads of each product, and whether gradients are left out."""
        self.refuses = -1

    def forward(
        self, hidden_states: Tensor, timestep: Tensor, encoder_hidden_states: Tensor, guidance: Tensor | None
    ) -> tuple[Tensor]:
        self.passes.append((len(hidden_states), torch.get_num_threads(), torch.is_inference_mode_enabled()))
        if self.refuses in timestep:
            raise RuntimeError("out of memory")
        strength = 1 if guidance is None else guidance.view(-1, 1, 1)
        text = encoder_hidden_states.mean(dim=1, keepdim=True)
        return (strength * self.layer(hidden_states) + timestep.view(-1, 1, 1) + text,)


def divided(rows: Rows, *, least: int = 1, most: float = 1e9) -> Divided:
    """Among three threads; `least` and `most` are numbers of rows."""
    work = 2 * 16 * (5 + 2)
    return Divided(rows, threads=ALL, least=least * work, most=most * work)


def inputs(rows: int, *, guided: bool = True) -> dict[str, Any]:
    return {
        "hidden_states": torch.randn(rows, 5, 4),
        "timestep": torch.arange(rows).float(),
        "encoder_hidden_states": torch.randn(rows, 2, 4),
        "guidance": torch.rand(rows) if guided else None,
    }


@pytest.fixture(autouse=True)
def usual_threads() -> Any:
    usual = torch.get_num_threads()
    yield
    torch.set_num_threads(usual)


@pytest.mark.parametrize("guided", [True, False])
@pytest.mark.parametrize("count", range(1, 9))
@torch.inference_mode()
def test_every_row_is_what_it_is_undivided(count: int, guided: bool) -> None:
    rows, given = Rows(), inputs(count, guided=guided)

    torch.testing.assert_close(divided(rows)(**given)[0], rows.forward(**given)[0])


@pytest.mark.parametrize(
    ("count", "least", "parts"),
    [(1, 1, [1]), (2, 1, [1, 1]), (7, 1, [2, 2, 3]), (7, 2, [2, 2, 3]), (7, 3, [3, 4]), (7, 8, [7])],
)
@torch.inference_mode()
def test_as_many_threads_take_part_as_have_enough_to_do(count: int, least: int, parts: list[int]) -> None:
    rows = Rows()

    divided(rows, least=least)(**inputs(count))

    assert sorted(taken for taken, *_ in rows.passes) == parts
    assert {(threads, inference) for _, threads, inference in rows.passes} == {(1, True)}


@torch.inference_mode()
def test_threads_share_the_products_of_a_large_pass() -> None:
    rows = Rows()
    passing = divided(rows, most=4)

    passing(**inputs(4))
    passing(**inputs(5))

    assert rows.passes[-1] == (5, ALL, True)
    assert all(threads == 1 for _, threads, _ in rows.passes[:-1])


@torch.inference_mode()
def test_a_model_that_is_never_divided_has_all_threads_whatever_another_left() -> None:
    rows = Rows()
    torch.set_num_threads(1)

    divided(rows, most=0)(**inputs(1))

    assert rows.passes == [(1, ALL, True)]


@pytest.mark.parametrize("refused", [0, 6])
@torch.inference_mode()
def test_a_part_that_fails_fails_the_pass_when_no_other_part_runs_any_more(refused: int) -> None:
    rows = Rows()
    rows.refuses = refused  # of the row with that time
    passing = divided(rows)

    with pytest.raises(RuntimeError, match="out of memory"):
        passing(**inputs(7))

    assert len(rows.passes) == ALL
    rows.refuses = -1
    assert len(passing(**inputs(7))[0]) == 7
