"""The figures of `gpu.py` as a section of docs/benchmarks.md."""

import re
from pathlib import Path
from typing import Any

SECTION = re.compile(r"^## On a GPU\n.*?(?=^## |\Z)", re.MULTILINE | re.DOTALL)


def section(result: dict[str, Any]) -> str:
    """The figures as a section of docs/benchmarks.md."""
    limit = result["ceiling"]
    versions = ", ".join(f"{name} {number}" for name, number in result["versions"].items())
    lines = [
        "## On a GPU",
        "",
        f"`benchmarks/gpu.py`: {result['machine']}, {result['dtype']}, {versions}, random weights of true",
        f"shapes, medians of {result['rounds']} rounds in turns. A matrix product reaches {limit / 1e12:.2f}",
        "TFLOP/s. *Ours* is the engine with the acceleration named; *stock* is `Flux2KleinPipeline` with the",
        "whole batch in one call. Text encoding is left out on both sides.",
    ]
    for name, model in result["models"].items():
        guided = " with guidance" if model["guided"] else ""
        lines += ["", f"### {name}, {model['steps']} steps{guided}", ""]
        lines += _table_of_steps(model)
        lines += ["", f"Drawn with `TINTYPE_ACCELERATION={model['chosen']}`:", ""]
        lines += _table_of_figures(model, limit)
        lines += ["", *_eight_at_once(model)]
    return "\n".join(lines) + "\n"


def _table_of_steps(model: dict[str, Any]) -> list[str]:
    cases = list(next(iter(model["step_seconds"].values())))
    rows = [
        f"| acceleration | from single precision | {' | '.join(f'a step of {case}' for case in cases)} |",
        f"| --- | --- |{' --- |' * len(cases)}",
        f"| stock, for comparison | {model['stock_apart']:.1e} |{' |' * len(cases)}",
    ]
    for name, seconds in model["step_seconds"].items():
        milliseconds = " | ".join(f"{seconds[case] * 1e3:.2f} ms" for case in cases)
        rows.append(f"| `{name}` | {model['apart'][name]:.1e} | {milliseconds} |")
    rows += [
        f"| `{name}` | left out: {problem} |{' |' * len(cases)}"
        for name, problem in model["problems"].items()
    ]
    return rows


def _table_of_figures(model: dict[str, Any], limit: float) -> list[str]:
    stocks = [name for name in ("stock", "stock compiled") if name in model["figures"][0]]
    head = "".join(f" {name} | ratio |" for name in stocks)
    rows = [
        f"| pictures at once | ours |{head} TFLOP/s in denoising | of the ceiling | memory |",
        f"| --- | --- |{' --- | --- |' * len(stocks)} --- | --- | --- |",
    ]
    for found in model["figures"]:
        cells = [f"{found['size']}² × {found['batch']}", f"{found['ours']:.3f} s"]
        for name in stocks:
            cells += [f"{found[name]:.3f} s", f"{found[name] / found['ours']:.2f}×"]
        rate = found["flops_per_second"]
        cells += [
            f"{rate / 1e12:.1f}",
            f"{100 * rate / limit:.0f} %",
            f"{found['peak_bytes'] / 2**30:.1f} GiB",
        ]
        rows.append(f"| {' | '.join(cells)} |")
    return rows


def _eight_at_once(model: dict[str, Any]) -> list[str]:
    """Jobs at once against the stock pipeline one after another, which is how it meets different requests."""
    lines = []
    for size in sorted({found["size"] for found in model["figures"]}):
        by_batch = {found["batch"]: found for found in model["figures"] if found["size"] == size}
        most = max(by_batch)
        if 1 not in by_batch or most == 1:
            continue
        mine, theirs = most / by_batch[most]["ours"], 1 / by_batch[1]["stock"]
        lines.append(
            f"{most} jobs at once at {size}²: {mine:.3f} pictures/s, {mine / theirs:.2f}× the stock "
            "pipeline's one after another."
        )
    return lines


def write(path: Path, text: str) -> None:
    """Put the section in the place of the one that the document has."""
    document = path.read_text("utf-8")
    if not SECTION.search(document):
        raise SystemExit(f"{path} has no section 'On a GPU'")
    path.write_text(SECTION.sub(lambda _: text, document), "utf-8")
