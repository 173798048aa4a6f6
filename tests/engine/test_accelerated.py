"""A transformer made faster, as far as a CPU can show it."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tintype.domain.errors import BadCheckpoint
from tintype.engine.acceleration import NONE, Acceleration, Use, read_acceleration
from tintype.engine.flux2.accelerated import Accelerated
from tintype.engine.flux2.load import load_engine
from tintype.engine.flux2.lora import Change, WithLora
from tintype.engine.process import start_host

from .checkpoints import pipeline
from .drawing import ON_CPU

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def plain() -> Any:
    stock = pipeline(dynamic_shift=False, distilled=False, guidance_embeds=False, vae_levels=4)
    return stock.transformer.requires_grad_(False)


def accelerated(plain: Any, wishes: str) -> Accelerated:
    return Accelerated(copy.deepcopy(plain), read_acceleration(wishes), device=CPU, dtype=torch.float32)


@pytest.fixture(scope="module")
def compiled(plain: Any) -> Accelerated:
    return accelerated(plain, "compile=on")


def velocities(fast: Accelerated, forward: Callable[..., Any] | None = None) -> list[torch.Tensor]:
    """Of shapes that were not tried when it was made; `forward` takes the place of its own."""
    forward = forward or fast.forward
    with torch.inference_mode():
        return [forward(**fast._inputs(*shape))[0] for shape in ((1, 4, 4), (2, 6, 4), (5, 10, 8))]


@pytest.mark.parametrize(
    ("wishes", "uses"),
    [
        ("auto", []),
        ("off", []),
        ("attention=_native_math", ["attention=_native_math"]),
        ("fused=on", ["fused"]),
        ("fused=on,attention=native", ["attention=native", "fused"]),
    ],
)
def test_velocities_stay_what_they_are(plain: Any, wishes: str, uses: list[str]) -> None:
    fast, slow = accelerated(plain, wishes), accelerated(plain, "off")

    assert fast.uses == uses
    for one, other in zip(velocities(fast), velocities(slow), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_half_a_precision_takes_latents_in_float32(plain: Any) -> None:
    half = copy.deepcopy(plain).to(torch.bfloat16)

    fast = Accelerated(half, NONE, device=CPU, dtype=torch.bfloat16)

    assert fast._inputs(1, 4, 4)["hidden_states"].dtype is torch.float32
    for one, other in zip(velocities(fast), velocities(accelerated(plain, "off")), strict=True):
        assert (one.float() - other).norm() < 0.05 * other.norm()


def test_attention_is_chosen_for_one_model_alone(plain: Any) -> None:
    from diffusers.models.attention_dispatch import AttentionBackendName, _AttentionBackendRegistry

    accelerated(plain, "attention=_native_math")

    assert _AttentionBackendRegistry.get_active_backend()[0] is AttentionBackendName.NATIVE


@pytest.mark.timeout(400)
@pytest.mark.filterwarnings("default::DeprecationWarning")  # of the compiler itself
def test_compiled_blocks_give_what_they_give_and_are_not_compiled_again(
    plain: Any, compiled: Accelerated
) -> None:
    with torch.compiler.set_stance("fail_on_recompile"):
        fast = velocities(compiled)
    assert not torch._dynamo.utils.counters["graph_break"]

    assert compiled.uses == ["compile"]
    for one, other in zip(fast, velocities(accelerated(plain, "off")), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.timeout(400)
@pytest.mark.filterwarnings("default::DeprecationWarning")
def test_a_lora_that_comes_later_has_nothing_compiled_in_the_middle_of_the_steps(
    plain: Any, compiled: Accelerated
) -> None:
    slow = accelerated(plain, "off")
    width = plain.transformer_blocks[0].attn.to_q.in_features
    ink = {"transformer_blocks.0.attn.to_q": Change(down=torch.randn(2, width), up=torch.randn(width, 2))}

    with torch.compiler.set_stance("fail_on_recompile"):
        before = velocities(compiled)
        inked = velocities(compiled, WithLora(compiled.forward, ink, strength=1.0))
        after = velocities(compiled)

    for one, other in zip(before, after, strict=True):
        assert torch.equal(one, other)
    for one, other in zip(inked, velocities(slow, WithLora(slow.forward, ink, strength=1.0)), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(inked[0], before[0], atol=0.01)


@pytest.mark.parametrize(
    "layers", [["to_q", "to_k", "to_v"], ["to_k"], ["to_q", "to_v", "add_k_proj", "add_v_proj"]]
)
def test_a_lora_changes_fused_projections_as_it_changes_them_apart(plain: Any, layers: list[str]) -> None:
    slow, fast = accelerated(plain, "off"), accelerated(plain, "fused=on")
    width = plain.transformer_blocks[0].attn.to_q.in_features
    ink = {
        f"transformer_blocks.0.attn.{layer}": Change(
            down=torch.randn(rank, width), up=torch.randn(width, rank)
        )
        for rank, layer in enumerate(layers, start=1)
    }

    apart = velocities(slow, WithLora(slow.forward, ink, strength=0.5))
    together = velocities(fast, WithLora(fast.forward, ink, strength=0.5))

    for one, other in zip(together, apart, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(apart[0], velocities(slow)[0], atol=0.01)


@pytest.mark.parametrize(
    ("wishes", "problem"),
    [
        ("graphs=on", "graphs=on cannot be had here: it needs a CUDA device"),
        ("fp8=on", "fp8=on cannot be had here: it needs a CUDA device of compute capability 8.9 or newer"),
        ("attention=flash", "attention=flash cannot be had here: .*flash-attn"),
        ("attention=telepathy", "attention=telepathy cannot be had here: .*must be one of .*native"),
    ],
)
def test_what_is_asked_for_and_cannot_be_had_is_an_error(plain: Any, wishes: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        accelerated(plain, wishes)


def test_a_model_that_is_offloaded_is_not_compiled(plain: Any) -> None:
    offloaded = copy.deepcopy(plain)
    offloaded.proj_out.to("meta")

    with pytest.raises(ValueError, match=r"compile=on cannot be had here: the model is offloaded"):
        Accelerated(offloaded, Acceleration(compile=Use.ON), device=CPU, dtype=torch.float32)


def test_an_engine_that_cannot_be_as_fast_as_asked_does_not_start(klein: Path) -> None:
    with pytest.raises(BadCheckpoint, match=r"tiny: acceleration: graphs=on cannot be had here"):
        load_engine(str(klein), wanted=ON_CPU, threads=1, places=0, acceleration=Acceleration(graphs=Use.ON))


def test_a_picture_says_what_made_it_fast(klein: Path) -> None:
    plain = load_engine(str(klein), wanted=ON_CPU, threads=1, places=0, acceleration=NONE)
    fused = load_engine(
        str(klein), wanted=ON_CPU, threads=1, places=0, acceleration=Acceleration(attention="native")
    )

    assert plain.ready().arithmetic["acceleration"] == "none"
    assert fused.ready().arithmetic["acceleration"] == "attention=native"


@pytest.mark.anyio
async def test_a_host_is_told_how_to_be_fast(klein: Path) -> None:
    with pytest.raises(BadCheckpoint, match=r"graphs=on cannot be had here: it needs a CUDA device"):
        async with start_host(weights=str(klein), device="cpu", acceleration="graphs=on"):
            pytest.fail("it is ready")
