"""Forward passes as graphs that run without Python."""

import copy
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tintype.engine.acceleration import NONE
from tintype.engine.flux2.accelerated import Accelerated
from tintype.engine.flux2.blocks import lighten_blocks
from tintype.engine.flux2.canvas import Canvas
from tintype.engine.flux2.checkpoint import open_checkpoint
from tintype.engine.flux2.divided import Divided
from tintype.engine.flux2.entrances import take_float32
from tintype.engine.flux2.layout import Layout, image_positions, text_positions
from tintype.engine.flux2.packed import PackedLinear, pack_linears
from tintype.engine.flux2.placing import Placed
from tintype.engine.flux2.positions import remember_positions
from tintype.engine.flux2.traced import Traced

from .parts import WIDTH, transformer

CPU = torch.device("cpu")
TEXT = 5


@pytest.fixture(autouse=True)
def without_gradients() -> Any:
    with torch.inference_mode():
        yield


def tiny(*, embedded_guidance: bool = False) -> Any:
    torch.manual_seed(0)
    made = transformer(
        spread=0.2,
        text_layers=1,
        in_channels=16,
        attention_head_dim=16,
        num_attention_heads=2,
        axes_dims_rope=(4, 4, 4, 4),
        guidance_embeds=embedded_guidance,
    )
    return made.requires_grad_(False)


def inputs(
    rows: int, height: int, width: int, *, dtype: torch.dtype = torch.float32, embedded_guidance: bool = False
) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(rows)
    return {
        "hidden_states": torch.randn(rows, height * width, 16, generator=generator),
        "timestep": torch.rand(rows, generator=generator),
        "guidance": torch.rand(rows, generator=generator) if embedded_guidance else None,
        "encoder_hidden_states": torch.randn(rows, TEXT, WIDTH, generator=generator).to(dtype),
        "txt_ids": text_positions(TEXT),
        "img_ids": image_positions(Layout(Canvas(height, width))),
        "return_dict": False,
    }


def plain(model: Any) -> None:
    """The model as diffusers wrote it."""


def light(model: Any) -> None:
    lighten_blocks(model)


def packed(model: Any) -> None:
    lighten_blocks(model)
    pack_linears(model)


@pytest.mark.parametrize("embedded_guidance", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("change", [plain, light, packed])
def test_passes_of_any_rows_and_tokens_are_what_they_were_to_the_bit(
    change: Callable[[Any], None], dtype: torch.dtype, embedded_guidance: bool
) -> None:
    model = tiny(embedded_guidance=embedded_guidance).to(dtype)
    change(model)
    remember_positions(model)
    take_float32(model, dtype)

    traced = Traced(model, inputs(3, 2, 4, dtype=dtype, embedded_guidance=embedded_guidance))

    for shape in ((3, 2, 4), (1, 4, 4), (2, 3, 5), (7, 1, 1)):
        given = inputs(*shape, dtype=dtype, embedded_guidance=embedded_guidance)
        expected = model(**given)[0]
        assert expected.std() > 0
        for _ in range(3):  # a graph is rewritten after its first runs
            assert torch.equal(traced(**given)[0], expected)


def test_threads_make_passes_side_by_side() -> None:
    model = tiny()
    remember_positions(model)
    traced = Traced(model, inputs(3, 2, 4))
    given = [inputs(rows, 4, 4) for rows in range(1, 9)]
    expected = [model(**each)[0] for each in given]
    start = threading.Barrier(4)

    def passes(_: int) -> list[Tensor]:
        with torch.inference_mode():
            start.wait()
            return [traced(**each)[0] for each in given * 5]

    with ThreadPoolExecutor(4) as pool:
        for made in pool.map(passes, range(4)):
            assert all(torch.equal(one, other) for one, other in zip(made, expected * 5, strict=True))


def test_the_passes_of_a_checkpoint_are_traced_with_packed_layers(klein: Path) -> None:
    model = open_checkpoint(str(klein), Placed(device=CPU, dtype=torch.float32)).transformer

    assert isinstance(model._compiled_call_impl._part, Traced)
    assert any(isinstance(layer, PackedLinear) for layer in model.modules())


class Odd(nn.Module):
    """A layer that graphs cannot be made of, or that is another one for single rows."""

    def __init__(self, layer: nn.Module, problem: str) -> None:
        super().__init__()
        self.layer, self.problem = layer, problem
        self.in_features, self.out_features = layer.in_features, layer.out_features

    def forward(self, given: Tensor) -> Tensor:
        if self.problem == "cannot be traced" and torch._C._get_tracing_state():
            raise NotImplementedError(self.problem)
        made: Tensor = self.layer(given)
        return -made if len(given) == 1 else made


@pytest.mark.parametrize("problem", ["cannot be traced", "depends on the rows"])
def test_what_cannot_be_traced_is_left_as_it_is_and_logged(
    problem: str, capfd: pytest.CaptureFixture[str]
) -> None:
    model = tiny()
    model.proj_out = Odd(model.proj_out, problem)
    expected = copy.deepcopy(model)

    fast = Accelerated(model, NONE, device=CPU, dtype=torch.float32)

    assert "forward passes are not traced" in capfd.readouterr().err
    for rows in (1, 3):
        given = inputs(rows, 4, 4)
        torch.testing.assert_close(fast.forward(**given)[0], expected(**given)[0], rtol=1e-4, atol=1e-5)


def test_passes_that_all_threads_share_are_not_traced() -> None:
    def divides(**bounds: int) -> bool:
        return Divided(tiny(), threads=1, **bounds).divides(inputs(3, 2, 4))

    assert divides()
    assert not divides(most=1)
