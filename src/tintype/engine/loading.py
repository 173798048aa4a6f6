"""Models on their way into memory: measured, and then loaded, beside the steps.

Knows sources and engines, nothing of tensors.
"""

import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tintype.domain.errors import BadCheckpoint
from tintype.domain.source import Source
from tintype.engine.engine import Engine, is_out_of_memory
from tintype.engine.log import log

Install = Callable[[], Engine]
"""What is left of loading, for the thread that steps."""


class Loader(Protocol):
    """Makes engines of sources. `base` is the engine of the source's base, of a LoRA.

    `measure` and `load` are called beside the steps; `weigh` and `unload` belong to the thread that steps.
    """

    def measure(self, source: Source) -> int:
        """Bytes of the device that it will take. Raises `BadCheckpoint`."""
        ...

    def load(self, source: Source, base: Engine | None) -> Install:
        """Raises `BadCheckpoint`, and whatever tells that memory does not suffice."""
        ...

    def weigh(self, engine: Engine) -> int:
        """Bytes of the device that it takes."""
        ...

    def unload(self) -> None:
        """Nobody holds an engine any more: give its memory back."""
        ...


@dataclass(frozen=True)
class News:
    """What has become of a model that was on its way: its bytes, what installs it, or why it failed."""

    source: Source
    outcome: int | Install | Exception


@dataclass(frozen=True)
class Ended:
    """A job uses its model no more."""

    job_id: str


class TooLargeForBudget(BadCheckpoint):
    """{path}: {problem}"""

    def __init__(self, path: str, *, size: int, budget: int) -> None:
        problem = (
            f"its weights take {_gib(size)} GiB, and all models together may take {_gib(budget)} GiB "
            "(TINTYPE_MODEL_MEMORY)"
        )
        super().__init__(path=path, problem=problem)


def told(error: Exception) -> str:
    """Why a model could not be loaded, for the callers whose jobs fail: no paths of this machine."""
    if isinstance(error, BadCheckpoint):
        path = str(error.fields["path"])
        problem = str(error.fields["problem"]).replace(path, Path(path).name)
        return f"The model cannot be loaded: {problem}"
    if is_out_of_memory(error):
        return "The model cannot be loaded: it needs more memory than there is"
    return "The model cannot be loaded; the log says why."


def _gib(size: int) -> str:
    return f"{size / 2**30:.3g}"


class Loading:
    """One model after another. `put` is called on another thread."""

    def __init__(self, loader: Loader, put: Callable[[News], None]) -> None:
        self._loader = loader
        self._put = put
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="loading")
        self.under_way: Source | None = None

    def __enter__(self) -> "Loading":
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)  # what nobody waits for may be given up

    def measure(self, source: Source) -> None:
        self._begin(source, lambda: self._loader.measure(source))

    def load(self, source: Source, base: Engine | None) -> None:
        self._begin(source, lambda: self._loader.load(source, base))

    def over(self) -> None:
        """To be called with the news."""
        self.under_way = None

    def _begin(self, source: Source, work: Callable[[], int | Install]) -> None:
        self.under_way = source
        self._thread.submit(self._do, source, work)

    def _do(self, source: Source, work: Callable[[], int | Install]) -> None:
        outcome: int | Install | Exception
        try:
            outcome = work()
        except Exception as error:
            if not isinstance(error, BadCheckpoint):
                log("model not loaded", model=source.name, traceback=traceback.format_exc())
            outcome = error.with_traceback(None)
        self._put(News(source=source, outcome=outcome))
