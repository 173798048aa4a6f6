"""Work for the device beside the steps: on a GPU in streams of its own."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch


class Beside:
    """One stream for each thread that works beside the stepping one; nothing on other devices.

    What is read must have been computed before, which holds for whatever a finished step has made; and what
    has been made is complete when the scope ends, so that it can be used in any stream.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._own = threading.local()

    @contextmanager
    def steps(self) -> Iterator[None]:
        if self._device.type != "cuda":
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
