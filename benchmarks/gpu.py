"""The engine on a GPU, in true shapes with random weights: seconds a picture, and TFLOP/s against a ceiling.

    python benchmarks/gpu.py --write docs/benchmarks.md

Speed does not depend on the weights' values, so no weights are needed (they are random, never zeros). Text
encoding is left out on both sides; prompts are random embeddings. Ours is the engine that serves, all jobs
of a batch at their own seeds; stock is `Flux2KleinPipeline` with the same batch in one call, as it is and
with compiled blocks. All use the same weights and take turns. The ceiling is what a large matrix product in
the same number format reaches on this device.

First, every acceleration named (`TINTYPE_ACCELERATION`) is checked: one forward pass may be no further from
single precision than the stock model is, by half as much again; with fp8, whose rounding is meant, by ten
times. Those that this machine cannot do are left out, and told. Then a step of each is timed, and the
fastest without fp8 draws against the stock pipeline.

`--models tiny --device cpu` shows that the program works where there is no GPU.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gpu_section import section, write
from shapes import SHAPES, Model, Ours, Stock

ACCELERATIONS = (
    "off",
    "compile=off,graphs=on",
    "compile=on,graphs=off",
    "compile=on,graphs=on",
    "compile=on,graphs=on,fused=on",
    "compile=on,graphs=on,fused=on,attention=_native_cudnn",
    "compile=on,graphs=on,fused=on,attention=_native_flash",
    "compile=on,graphs=on,fused=on,attention=flash",
    "compile=on,graphs=on,fused=on,attention=_flash_3",
    "compile=on,graphs=on,fused=on,fp8=on",
)
WORSE, WORSE_IN_8_BITS, EXACT = 1.5, 10.0, 1e-4
WARM_STEPS = 10
"""So many that small steps have been recorded."""


def ceiling(device: torch.device, dtype: torch.dtype) -> float:
    """FLOP/s of a large product of random matrices."""
    side = 8192 if device.type == "cuda" else 1024
    a, b = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
    return 2 * side**3 / best(lambda: a @ b, device, times=20)


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


class Checked:
    """The accelerations that this machine can do, each with how far from single precision it is."""

    def __init__(self, model: Model, size: int, accelerations: Sequence[str]) -> None:
        inputs = model.inputs(size, 1)
        with torch.inference_mode():
            single = {key: _single(value) for key, value in inputs.items()}
            self._wanted = model.in_single_precision()(**single)[0]
        self.stock = Stock(model, compiled=False)
        self.stock_apart = self._apart(self.stock.forward, inputs)
        self.engines: dict[str, Ours] = {}
        self.apart: dict[str, float] = {}
        self.problems: dict[str, str] = {}
        for name in accelerations:
            try:
                engine = Ours(model, name)
            except ValueError as problem:
                self.problems[name] = str(problem)
                continue
            self.apart[name] = self._apart(engine.forward, inputs)
            self._demand_right(name)
            self.engines[name] = engine
        if not self.engines:
            raise SystemExit(f"none of these can be had here: {self.problems}")
        first = next(iter(self.engines.values()))
        theirs = self.stock.draw(size, 2, 4, output="latent")
        self.latents_apart = difference(first.latents(size, 2, 4), theirs)

    @torch.inference_mode()
    def _apart(self, forward: Callable[..., tuple[Tensor]], inputs: dict[str, Any]) -> float:
        return difference(forward(**inputs)[0], self._wanted)

    def _demand_right(self, name: str) -> None:
        allowed = max(EXACT, self.stock_apart * (WORSE_IN_8_BITS if "fp8=on" in name else WORSE))
        if not self.apart[name] <= allowed:
            raise SystemExit(
                f"{name}: {self.apart[name]:.1e} from single precision; at most {allowed:.1e} is right"
            )


def _single(value: Any) -> Any:
    return value.float() if isinstance(value, Tensor) and value.is_floating_point() else value


def step_seconds(engine: Ours, size: int, batch: int) -> float:
    """Of one step in a long row of them."""
    engine.denoise(size, batch, WARM_STEPS)
    few, many = 3, 13
    seconds = [timed(lambda: engine.denoise(size, batch, steps))[0] for steps in (few, many)]  # noqa: B023
    return (seconds[1] - seconds[0]) / (many - few)


def tune(checked: Checked, cases: Sequence[tuple[int, int]]) -> dict[str, dict[str, float]]:
    """Seconds of a step: acceleration → "size × batch" → seconds."""
    return {
        name: {f"{size}² × {batch}": step_seconds(engine, size, batch) for size, batch in cases}
        for name, engine in checked.engines.items()
    }


def fastest(steps: dict[str, dict[str, float]]) -> str:
    """By the geometric mean over the cases, of those that do not round to 8 bits."""
    eligible = [name for name in steps if "fp8=on" not in name] or list(steps)
    return min(eligible, key=lambda name: statistics.geometric_mean(steps[name].values()))


def measure(
    model: Model, ours: Ours, stocks: dict[str, Stock], size: int, batch: int, options: argparse.Namespace
) -> dict[str, float]:
    """All sides in turns; seconds are for the whole batch, medians of the rounds."""
    steps = options.steps or model.shape.steps
    ours.finish(ours.denoise(size, batch, WARM_STEPS))
    for stock in stocks.values():
        stock.draw(size, batch, min(2, steps))
    if model.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(model.device)
    seconds: dict[str, list[float]] = {"ours": [], "denoise": [], **{name: [] for name in stocks}}
    peak = 0
    for _ in range(options.rounds):
        denoising, denoised = timed(lambda: ours.denoise(size, batch, steps))
        finishing, _ = timed(lambda: ours.finish(denoised))  # noqa: B023 (called at once)
        if model.device.type == "cuda":
            peak = max(peak, torch.cuda.max_memory_allocated(model.device))
        seconds["denoise"].append(denoising)
        seconds["ours"].append(denoising + finishing)
        for name, stock in stocks.items():
            seconds[name].append(timed(lambda: stock.draw(size, batch, steps))[0])  # noqa: B023
        if model.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(model.device)
    rows = batch * (2 if model.shape.guided else 1)
    found = {name: statistics.median(values) for name, values in seconds.items()}
    return found | {
        "flops_per_second": model.flops(size, rows) * steps / found["denoise"],
        "peak_bytes": float(peak),
    }


def run(options: argparse.Namespace) -> dict[str, Any]:
    device = torch.device(options.device)
    dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
    limit = ceiling(device, dtype)
    machine = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    versions = {name: version(name) for name in ("torch", "diffusers")}
    result: dict[str, Any] = {"machine": machine, "dtype": str(dtype).removeprefix("torch.")}
    result |= {"versions": versions, "ceiling": limit, "rounds": options.rounds, "models": {}}
    say(f"{machine}, {dtype}, {versions}; a matrix product reaches {limit / 1e12:.2f} TFLOP/s")
    for name in options.models:
        model = Model(name, device, dtype)
        result["models"][name] = run_model(model, options)
        save(result, options)
        del model
        if device.type == "cuda":
            torch.cuda.empty_cache()
    return result


def run_model(model: Model, options: argparse.Namespace) -> dict[str, Any]:
    checked = Checked(model, min(options.sizes), options.accelerations)
    for problem in checked.problems.values():
        say(f"{model.name}: left out: {problem}")
    say(f"{model.name}: from single precision: stock {checked.stock_apart:.1e}, {checked.apart}")
    say(f"{model.name}: final latents {checked.latents_apart:.1e} from the stock pipeline's")
    cases = [
        (size, batch) for size in options.sizes for batch in (min(options.batches), max(options.batches))
    ]
    steps = tune(checked, list(dict.fromkeys(cases)))
    chosen = fastest(steps)
    say(f"{model.name}: seconds of a step: {steps}; the fastest: {chosen}")
    ours = checked.engines[chosen]
    stocks = {"stock": checked.stock}
    if not options.eager_only:
        stocks["stock compiled"] = Stock(model, compiled=True)
    figures = []
    for size in options.sizes:
        for batch in options.batches:
            found = {"size": size, "batch": batch, **measure(model, ours, stocks, size, batch, options)}
            figures.append(found)
            say(f"{model.name}: {found}")
    return {
        "steps": options.steps or model.shape.steps,
        "guided": model.shape.guided,
        "stock_apart": checked.stock_apart,
        "latents_apart": checked.latents_apart,
        "apart": checked.apart,
        "problems": checked.problems,
        "step_seconds": steps,
        "chosen": chosen,
        "figures": figures,
    }


def save(result: dict[str, Any], options: argparse.Namespace) -> None:
    """What has been measured stays, whatever becomes of the rest."""
    if options.json:
        options.json.write_text(json.dumps(result, indent=2))
    if options.write:
        write(options.write, section(result))


def say(line: str) -> None:
    print(line, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", choices=SHAPES, default=["klein-base-4b", "klein-4b"])
    parser.add_argument("--sizes", nargs="+", type=int, default=[512, 1024])
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 2, 4, 8])
    parser.add_argument("--accelerations", nargs="+", default=list(ACCELERATIONS))
    parser.add_argument("--steps", type=int, default=0, help="0: as many as the model is used with")
    parser.add_argument("--rounds", type=int, default=2, help="turns that each side takes")
    parser.add_argument("--eager-only", action="store_true", help="leave the compiled stock pipeline out")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--json", type=Path, help="a file for all figures")
    parser.add_argument("--write", type=Path, help="the document whose section 'On a GPU' is replaced")
    options = parser.parse_args()
    result = run(options)
    say("\n" + section(result))


if __name__ == "__main__":
    main()
