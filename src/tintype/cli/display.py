"""Showing how far a picture is: a moving bar on a terminal, plain lines anywhere else. Always on stderr."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

import typer

if TYPE_CHECKING:
    from rich.progress import Progress

LINE_EVERY = 5.0
"""Seconds between lines that differ in the step alone."""


class Display(Protocol):
    """What is told to the person who waits."""

    def show(
        self,
        words: str,
        *,
        step: int | None = None,
        steps: int | None = None,
        speed: float | None = None,
    ) -> None:
        """The present state; without steps only its name is known. `speed` is in steps a second."""
        ...


@contextmanager
def display() -> Iterator[Display]:
    """The display that suits stderr."""
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield Lines()
        return
    from rich.progress import (
        BarColumn,
        Progress,
        SpinnerColumn,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
    )

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[detail]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        yield Bar(progress)


class Bar:
    """A bar that moves to and fro while the number of steps is not known."""

    def __init__(self, progress: "Progress") -> None:
        self._progress = progress
        self._bar = progress.add_task("", total=None, detail="")
        self._words = ""

    def show(
        self,
        words: str,
        *,
        step: int | None = None,
        steps: int | None = None,
        speed: float | None = None,
    ) -> None:
        self._progress.update(
            self._bar,
            description=words,
            completed=step or 0,
            total=steps,
            detail=detail(step, steps, speed),
            refresh=words != self._words,
        )
        self._words = words


class Lines:
    """One line for each new state, and now and then one for the steps."""

    def __init__(self) -> None:
        self._words = ""
        self._next_line = 0.0

    def show(
        self,
        words: str,
        *,
        step: int | None = None,
        steps: int | None = None,
        speed: float | None = None,
    ) -> None:
        if words == self._words and (step is None or time.monotonic() < self._next_line):
            return
        self._words = words
        self._next_line = time.monotonic() + LINE_EVERY
        known = detail(step, steps, speed)
        typer.echo(f"{words} ({known})" if known else words, err=True)


def detail(step: int | None, steps: int | None, speed: float | None) -> str:
    """Such as `step 12 of 50, 4.1/s, 9 s left`; as much of it as is known."""
    if step is None or steps is None:
        return ""
    known = [f"step {step} of {steps}"]
    if speed:
        known.append(f"{speed:.1f}/s")
        if step < steps:
            known.append(f"{_duration((steps - step) / speed)} left")
    return ", ".join(known)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(max(1, round(seconds)), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
