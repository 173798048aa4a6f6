"""Work for the device beside the steps: on a GPU in streams of its own, on a CPU with all threads."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch


class Beside:
    """For each thread that works beside the stepping one: a stream of a GPU, or a CPU's threads.

    What is read must have been computed before, which holds for whatever a finished step has made; and what
    has been made is complete when the scope ends, so that it can be used in any stream.
    """

    def __init__(self, device: torch.device, *, threads: int) -> None:
        self._device = device
        self._threads = threads
        self._own = threading.local()

    @contextmanager
    def steps(self) -> Iterator[None]:
        if self._device.type != "cuda":
            torch.set_num_threads(self._threads)  # or it has as few as the stepping one chose for itself
            yield
            return
        stream = self._stream()
        with torch.cuda.stream(stream):
            try:
                yield
            finally:
                stream.synchronize()

    def _stream(self) -> torch.cuda.Stream:
        if not hasattr(self._own, "stream"):
            self._own.stream = torch.cuda.Stream(self._device)  # type: ignore[no-untyped-call]
        stream: torch.cuda.Stream = self._own.stream
        return stream
