"""What moderation costs, and how often it is wrong about harmless things.

    python benchmarks/moderation.py --pictures 240

Prompts: the committed benign ones, and every name that the embedded checkpoint was taught. Pictures: as many
of its things as `--pictures` says, drawn by the engine at 256 pixels with few steps, and looked at by the
classifier.
"""

import argparse
import os
import statistics
import time
import tomllib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tintype.engine.host import ENVIRONMENT
from tintype.engine.images.encode import Pixels
from tintype.engine.protocol import Job
from tintype.engine.screening import CATEGORIES, Screening
from tintype.moderation.levels import Levels, load_levels
from tintype.moderation.policy import LAXEST, STRICTEST
from tintype.moderation.prompts import PromptGate
from tintype.moderation.terms import load_terms
from tintype.settings import EMBEDDED_CHECKPOINT

HOME = Path(__file__).parent.parent
BENIGN = HOME / "tests" / "moderation" / "benign.txt"
NAMES = HOME / "training" / "names.toml"
LEVELS = range(STRICTEST, LAXEST + 1)
QUANTILES = (0.5, 0.9, 0.99, 1.0)


def benign() -> list[str]:
    """The prompts that the tests let pass."""
    return [line for line in BENIGN.read_text("utf-8").splitlines() if line and not line.startswith("#")]


def names() -> tuple[list[str], list[str]]:
    """The things that the checkpoint knows, and every name of them."""
    found = tomllib.loads(NAMES.read_text("utf-8"))
    labels = [label for label, others in found.items() if isinstance(others, list)]
    return labels, [*labels, *(name for label in labels for name in found[label])]


def judge(gate: PromptGate, levels: Levels, prompts: Sequence[str]) -> None:
    """How many of the prompts each level refuses, and how long it takes."""
    started = time.process_time()
    found = [gate.find(prompt) for prompt in prompts]
    seconds = (time.process_time() - started) / len(prompts)
    for level in LEVELS:
        thresholds = levels.of("prompt", level)
        refused = [prompt for prompt in prompts if gate.judge(prompt, thresholds)]
        print(f"  level {level}: {len(refused)} of {len(prompts)} refused", *refused[:8], sep="\n      ")
    print(f"  {sum(map(bool, found))} hold a term; {seconds * 1e6:.0f} µs of CPU a prompt")


def drawn(prompts: Sequence[str], *, steps: int) -> list[Pixels]:
    """The pictures of the prompts at 256 pixels, decoded and not encoded."""
    os.environ.update(ENVIRONMENT)
    from tintype.domain.placement import Placement
    from tintype.engine.engine import Denoised
    from tintype.engine.flux2.load import load_engine

    engine = load_engine(str(EMBEDDED_CHECKPOINT), wanted=Placement(device="cpu"), threads=1, places=0)
    pictures: dict[str, Pixels] = {}
    screening = engine._screening  # type: ignore[attr-defined]
    screening.refused = lambda job, stage, picture: pictures.update({job.id: picture})
    for start in range(0, len(prompts), 16):
        for place, prompt in enumerate(prompts[start : start + 16], start=start):
            engine.admit(
                Job(
                    id=str(place), prompt=prompt, width=256, height=256, steps=steps, guidance=4.5, seed=place
                )
            )
        while not engine.idle:
            for event in engine.step():
                if isinstance(event, Denoised):
                    engine.finish(event)
    return [pictures[str(place)] for place in range(len(prompts))]


def look(levels: Levels, prompts: Sequence[str], pictures: Sequence[Pixels]) -> None:
    """How the scores lie, how many pictures each level refuses, and how long a look takes."""
    screening = Screening()
    screening.look(pictures[0])
    times, scores = [], []
    for picture in pictures:
        started = time.perf_counter()
        scores.append(screening.scores(picture))
        times.append(time.perf_counter() - started)
    for category in CATEGORIES:
        values = [each[category] for each in scores]
        listed = ", ".join(f"{quantile:.0%}: {np.quantile(values, quantile):.3f}" for quantile in QUANTILES)
        highest = sorted(zip(values, prompts, strict=True), reverse=True)[:4]
        print(
            f"  {category}: {listed}", *(f"{value:.3f} {prompt}" for value, prompt in highest), sep="\n      "
        )
    for level in LEVELS:
        thresholds = levels.of("image", level)
        refused = sum(any(each[name] >= limit for name, limit in thresholds.items()) for each in scores)
        print(f"  level {level}: {refused} of {len(pictures)} refused")
    print(f"  {statistics.median(times) * 1e3:.0f} ms a picture (median), {min(times) * 1e3:.0f} ms at best")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=240, help="how many are drawn; 0 for none")
    parser.add_argument("--steps", type=int, default=6, help="of each picture")
    options = parser.parse_args()
    levels = load_levels()
    gate = PromptGate(load_terms(), levels)
    labels, every = names()
    print("benign prompts")
    judge(gate, levels, benign())
    print("names of the checkpoint's things")
    judge(gate, levels, every)
    if options.pictures:
        chosen = [labels[place * len(labels) // options.pictures] for place in range(options.pictures)]
        print(f"pictures that the checkpoint drew of {len(chosen)} things")
        look(levels, chosen, drawn(chosen, steps=options.steps))


if __name__ == "__main__":
    main()
