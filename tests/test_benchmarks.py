"""The benchmarks run; what they say is for people to read, on a machine that does nothing else."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("program", "says"),
    [
        (
            "overhead.py --seconds 1 --clients 1 2 --by socket polling",
            r"(.*Run → result p50 +[\d.]+ ms.* tasks/s.*\n){4}",
        ),
        (
            "polling.py --tasks 50 --pollers 2 --seconds 1",
            r"50 tasks written in .*\n(.* pollers on 50 tasks: +\d+ requests/s.*\n){2}",
        ),
        (
            "sockets.py --sockets 10 --tasks 2 --seconds 1 --deaf 2",
            r"10 sockets \(2 deaf.*\n +[1-9]\d* frames/s\n  told → arrived: +p50.*\n  Task/Detail: +p50",
        ),
        (
            "endurance.py --tasks 60 --clients 4 --every 20",
            r"(.* tasks .* callbacks  server .* MiB.*\n)+.* followed to the end.*\n15 callbacks of 15\n",
        ),
        (
            "engine.py --jobs 2 --rounds 1 --loads 2",
            r"(?s)capacity: .*one long job at a time.*\| pictures per second, 1/s \| [\d.]+ \| [\d.]+ \| "
            r"[\d.]+× \|.*2x that capacity.*\| p95 short, s \|.*jobs watched.*a kill among 8 jobs takes",
        ),
        (
            "gpu.py --models tiny --device cpu --sizes 64 --batches 1 2 --rounds 1 --steps 2 --eager-only "
            "--accelerations off fused=on graphs=on",
            r"(?s)left out: graphs=on cannot.*a step of 64².*\| `fused=on` \|.*\| pictures at.*2 jobs at",
        ),
    ],
    ids=["overhead", "polling", "sockets", "endurance", "engine", "gpu"],
)
def test_a_benchmark_prints_its_figures(program: str, says: str) -> None:
    script, *options = program.split()

    done = subprocess.run(
        [sys.executable, BENCHMARKS / script, *options], capture_output=True, text=True, timeout=280
    )

    assert done.returncode == 0, done.stderr
    assert re.search(says, done.stdout), done.stdout


def test_the_table_of_cards_is_what_the_shapes_give() -> None:
    document = (BENCHMARKS.parent / "docs" / "weights.md").read_text("utf-8")

    done = subprocess.run(
        [sys.executable, BENCHMARKS / "fit.py"], capture_output=True, text=True, timeout=280
    )

    assert done.returncode == 0, done.stderr
    rows = done.stdout.splitlines()
    assert len(rows) > 10
    assert [row for row in rows if row not in document] == []
