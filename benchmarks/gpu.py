"""The engine on a GPU, in true shapes with random weights: seconds a picture, and TFLOP/s against a ceiling.

    python benchmarks/gpu.py --models klein-base-4b klein-4b --sizes 512 1024 --batches 1 2 4 8

Speed does not depend on the weights' values, so no weights are needed (they are random, never zeros). Text
encoding is left out on both sides; prompts are random embeddings. Ours is the engine that serves, all
jobs of a batch at their own seeds; stock is `Flux2KleinPipeline` with the same batch in one call, as it is
and with `torch.compile`. Both use the same modules and take turns. The ceiling is what a large matrix
product in the same number format reaches on this device. Before any timing, one forward is compared with
single precision, and the final latents of both sides with each other.

`--models tiny --device cpu` shows that the program works where there is no GPU.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import torch
from diffusers import (
    AutoencoderKLFlux2,
    FlowMatchEulerDiscreteScheduler,
    Flux2KleinPipeline,
    Flux2Transformer2DModel,
)
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from tintype.engine.engine import Denoised
from tintype.engine.flux2.canvas import Canvases
from tintype.engine.flux2.checkpoint import Checkpoint
from tintype.engine.flux2.decode import Decoder
from tintype.engine.flux2.engine import Flux2Engine
from tintype.engine.flux2.references import ReferenceEncoder
from tintype.engine.flux2.sigmas import Shift
from tintype.engine.protocol import Drawn, Job

SCHEDULER = {"shift": 3.0, "use_dynamic_shifting": True}


@dataclass(frozen=True)
class Shape:
    """A published model's dimensions."""

    transformer: dict[str, Any]
    vae: dict[str, Any]
    steps: int
    guidance: float
    text_length: int = 512

    @property
    def guided(self) -> bool:
        return self.guidance > 1


KLEIN_4B = {
    "patch_size": 1,
    "in_channels": 128,
    "num_layers": 5,
    "num_single_layers": 20,
    "attention_head_dim": 128,
    "num_attention_heads": 24,
    "joint_attention_dim": 7680,
    "axes_dims_rope": (32, 32, 32, 32),
    "guidance_embeds": False,
}
TINY = {
    **KLEIN_4B,
    "num_layers": 1,
    "num_single_layers": 2,
    "attention_head_dim": 32,
    "num_attention_heads": 2,
    "joint_attention_dim": 96,
    "axes_dims_rope": (8, 8, 8, 8),
}
SHAPES = {
    "klein-base-4b": Shape(KLEIN_4B, {}, steps=50, guidance=4.0),
    "klein-4b": Shape(KLEIN_4B, {}, steps=4, guidance=1.0),
    "tiny": Shape(
        TINY,
        {"block_out_channels": (8, 8, 8, 8), "norm_num_groups": 4},
        steps=4,
        guidance=4.0,
        text_length=16,
    ),
}


class Embeddings:
    """Stands where the text encoder stands: random embeddings, one for each prompt."""

    def __init__(self, shape: Shape, device: torch.device, dtype: torch.dtype) -> None:
        self._size = (shape.text_length, shape.transformer["joint_attention_dim"])
        self._device, self._dtype = device, dtype
        self.empty = self.embed("")

    def embed(self, prompt: str) -> Tensor:
        generator = torch.Generator().manual_seed(sum(prompt.encode()))
        return torch.randn(self._size, generator=generator).to(self._device, self._dtype)


class Bench:
    """One model on one device, drawn by both sides."""

    def __init__(self, name: str, device: torch.device, dtype: torch.dtype) -> None:
        torch.manual_seed(0)
        self.shape, self.device, self.dtype = SHAPES[name], device, dtype
        with torch.device(device):
            transformer = Flux2Transformer2DModel(**self.shape.transformer).to(dtype)
            vae = AutoencoderKLFlux2(**self.shape.vae).to(dtype)
        self.transformer = transformer.eval().requires_grad_(False)
        self.vae = vae.eval().requires_grad_(False)
        self.text = Embeddings(self.shape, device, dtype)
        self.pipeline = Flux2KleinPipeline(
            scheduler=FlowMatchEulerDiscreteScheduler(**SCHEDULER),
            vae=self.vae,
            text_encoder=None,
            tokenizer=None,
            transformer=self.transformer,
            is_distilled=not self.shape.guided,
        )
        self.pipeline.set_progress_bar_config(disable=True)
        self.engine = self._engine(name)

    def _engine(self, name: str) -> Flux2Engine:
        token = 16
        checkpoint = Checkpoint(
            name=name,
            device=self.device,
            dtype=self.dtype,
            transformer=self.transformer,
            decoder=Decoder(self.vae, token=token),
            references=ReferenceEncoder(self.vae, token=token),
            most_references=0,
            text=self.text,  # type: ignore[arg-type]
            shift=Shift.from_config({**self.pipeline.scheduler.config}),
            canvases=Canvases(token=token, native=()),
            classifier_free=self.shape.guided,
            embedded_guidance=False,
        )
        return Flux2Engine(checkpoint, places=64, max_rows=64, max_tokens=2**20, versions={})

    def wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    # Ours

    def denoise(self, size: int, batch: int, steps: int) -> list[Denoised]:
        """All jobs at once through the engine, up to their final latents."""
        for number in range(batch):
            self.engine.admit(
                Job(
                    id=str(number),
                    prompt=str(number),
                    width=size,
                    height=size,
                    steps=steps,
                    guidance=self.shape.guidance,
                    seed=number,
                )
            )
        done: list[Denoised] = []
        while not self.engine.idle:
            done += [event for event in self.engine.step() if isinstance(event, Denoised)]
        self.wait()
        return sorted(done, key=lambda event: int(event.job.id))

    def finish(self, denoised: list[Denoised]) -> int:
        """Decode and encode; bytes of all pictures."""
        drawn = [self.engine.finish(one) for one in denoised]
        return sum(len(one.image) for one in drawn if isinstance(one, Drawn))

    # Stock

    def stock(self, size: int, batch: int, steps: int, *, output: str) -> Any:
        """One call of the pipeline for the whole batch."""
        generators = [torch.Generator().manual_seed(number) for number in range(batch)]
        empty = self.text.empty.expand(batch, -1, -1)
        result = self.pipeline(
            prompt_embeds=torch.stack([self.text.embed(str(number)) for number in range(batch)]),
            negative_prompt_embeds=empty if self.shape.guided else None,
            width=size,
            height=size,
            num_inference_steps=steps,
            guidance_scale=self.shape.guidance,
            generator=generators,
            output_type=output,
        ).images
        self.wait()
        return result

    @contextmanager
    def compiled(self) -> Iterator[None]:
        """The stock pipeline with a compiled transformer, as its documentation advises."""
        self.pipeline.transformer = torch.compile(self.transformer, mode="max-autotune-no-cudagraphs")
        try:
            yield
        finally:
            self.pipeline.transformer = self.transformer

    # One forward

    def forward(self, size: int, rows: int, transformer: Any = None) -> Callable[[], Tensor]:
        """A call of the transformer on random latents at one timestep each."""
        model = transformer or self.transformer
        side, like = size // 16, next(model.parameters())
        one = torch.arange(1)
        image = torch.cartesian_prod(one, torch.arange(side), torch.arange(side), one)
        text = torch.cartesian_prod(one, one, one, torch.arange(self.shape.text_length))
        generator = torch.Generator().manual_seed(1)
        channels = self.shape.transformer["in_channels"]
        latents = torch.randn((rows, side * side, channels), generator=generator).to(like)
        arguments = {
            "hidden_states": latents,
            "timestep": torch.linspace(0.9, 0.1, rows).to(like),
            "guidance": None,
            "encoder_hidden_states": self.text.embed("x").to(like).expand(rows, -1, -1),
            "txt_ids": text.to(like.device),
            "img_ids": image.to(like.device),
            "return_dict": False,
        }

        @torch.inference_mode()
        def call() -> Tensor:
            velocity: Tensor = model(**arguments)[0]
            return velocity

        return call

    def flops(self, size: int, rows: int) -> int:
        """Floating-point operations of one forward, counted."""
        with FlopCounterMode(display=False) as counter:
            self.forward(size, rows)()
        return int(counter.get_total_flops())


def ceiling(device: torch.device, dtype: torch.dtype) -> float:
    """FLOP/s of a large product of random matrices."""
    side = 8192 if device.type == "cuda" else 1024
    a, b = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
    seconds = best(lambda: a @ b, device, times=20)
    return 2 * side**3 / seconds


def best(call: Callable[[], Any], device: torch.device, *, times: int) -> float:
    """Seconds of the fastest of some calls, after a few to warm up."""

    def once() -> float:
        begun = time.perf_counter()
        call()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return time.perf_counter() - begun

    for _ in range(3):
        once()
    return min(once() for _ in range(times))


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    begun = time.perf_counter()
    result = call()
    return time.perf_counter() - begun, result


def difference(one: Tensor, other: Tensor) -> float:
    """Relative, in the Euclidean norm."""
    one, other = one.double(), other.double()
    return float((one - other).norm() / other.norm())


def check(bench: Bench, size: int) -> dict[str, float]:
    """How far from single precision one forward is, and how far both sides' latents are apart."""
    single = Flux2Transformer2DModel.from_config(bench.transformer.config).to(bench.device).eval()
    single.load_state_dict(bench.transformer.state_dict())
    wanted = bench.forward(size, 1, single)()
    del single
    ours = bench.denoise(size, 2, 4)
    canvas = bench.engine._checkpoint.canvases.choose(size, size)
    decoder = bench.engine._checkpoint.decoder
    mine = torch.cat([decoder._latents(one.latents, canvas) for one in ours])
    return {
        "forward_against_fp32": difference(bench.forward(size, 1)(), wanted),
        "latents_against_stock": difference(mine, bench.stock(size, 2, 4, output="latent")),
    }


def measure(bench: Bench, size: int, batch: int, options: argparse.Namespace) -> dict[str, float]:
    """Both sides in turns; seconds are for the whole batch, medians of the rounds."""
    steps = options.steps or bench.shape.steps
    warm = min(2, steps)
    bench.finish(bench.denoise(size, batch, warm))
    bench.stock(size, batch, warm, output="pil")
    seconds: dict[str, list[float]] = {"ours": [], "denoise": [], "stock": [], "stock_compiled": []}
    for _ in range(options.rounds):
        denoising, denoised = timed(lambda: bench.denoise(size, batch, steps))
        finishing, _ = timed(lambda: bench.finish(denoised))  # noqa: B023 (called at once)
        seconds["denoise"].append(denoising)
        seconds["ours"].append(denoising + finishing)
        seconds["stock"].append(timed(lambda: bench.stock(size, batch, steps, output="pil"))[0])
    if options.compiled:
        with bench.compiled():
            bench.stock(size, batch, warm, output="pil")
            for _ in range(options.rounds):
                seconds["stock_compiled"].append(
                    timed(lambda: bench.stock(size, batch, steps, output="pil"))[0]
                )
    found = {name: statistics.median(values) for name, values in seconds.items() if values}
    rows = batch * (2 if bench.shape.guided else 1)
    return found | {
        "flops_per_second": bench.flops(size, rows) * steps / found["denoise"],
        "forward_flops_per_second": bench.flops(size, rows)
        / best(bench.forward(size, rows), bench.device, times=5),
    }


def report(name: str, size: int, batch: int, found: dict[str, float], limit: float) -> None:
    compiled = found.get("stock_compiled")
    columns = [
        f"{name:14} {size:5}² × {batch}",
        f"ours {found['ours']:8.3f} s, {batch / found['ours']:7.3f} /s",
        f"stock {found['stock'] / found['ours']:5.2f}x",
        f"compiled {compiled / found['ours']:5.2f}x" if compiled else "",
        f"{found['flops_per_second'] / 1e12:6.1f} TFLOP/s in denoising",
        f"({100 * found['flops_per_second'] / limit:.0f} % of the ceiling;"
        f" one forward alone {100 * found['forward_flops_per_second'] / limit:.0f} %)",
    ]
    print("  ".join(column for column in columns if column), flush=True)


def run(options: argparse.Namespace) -> dict[str, Any]:
    device = torch.device(options.device)
    dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
    limit = ceiling(device, dtype)
    machine = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    versions = {name: version(name) for name in ("torch", "diffusers")}
    print(f"{machine}, {dtype}, {versions}; a matrix product reaches {limit / 1e12:.1f} TFLOP/s", flush=True)
    result: dict[str, Any] = {"machine": machine, "versions": versions, "ceiling": limit, "figures": []}
    for name in options.models:
        bench = Bench(name, device, dtype)
        apart = check(bench, min(options.sizes))
        result[name] = apart
        print(f"{name}: " + ", ".join(f"{what} {value:.2e}" for what, value in apart.items()), flush=True)
        for size in options.sizes:
            for batch in options.batches:
                found = measure(bench, size, batch, options)
                report(name, size, batch, found, limit)
                result["figures"].append({"model": name, "size": size, "batch": batch, **found})
        del bench
        if device.type == "cuda":
            torch.cuda.empty_cache()
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", choices=SHAPES, default=["klein-base-4b", "klein-4b"])
    parser.add_argument("--sizes", nargs="+", type=int, default=[512, 1024])
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 2, 4, 8])
    parser.add_argument("--steps", type=int, default=0, help="0: as many as the model is used with")
    parser.add_argument("--rounds", type=int, default=2, help="turns that each side takes")
    parser.add_argument("--compiled", action="store_true", help="time the compiled stock pipeline, too")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--json", help="a file for all figures")
    options = parser.parse_args()
    result = run(options)
    if options.json:
        with open(options.json, "w") as file:
            json.dump(result, file, indent=2)


if __name__ == "__main__":
    main()
