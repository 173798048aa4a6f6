"""Recording what a GPU does as a CUDA graph, by the rules of `torch.cuda.graphs`."""

import threading
from collections.abc import Callable
from weakref import WeakSet

import torch
from torch import Tensor

_WARM_UP = 3
_one_at_a_time = threading.Lock()
"""Models are loaded beside the steps of others, and a process may record one graph at a time."""


class CudaGraphs:
    """A recorder for `tintype.engine.flux2.recordings`.

    Graphs share one pool of memory while any of them lives. That is safe in any order of repeating, since
    they are repeated one after another on one stream, read nothing from the pool that they have not written
    themselves, and what they put out is copied at once.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._graphs: WeakSet[torch.cuda.CUDAGraph] = WeakSet()

    def __call__(self, run: Callable[[], Tensor]) -> Callable[[], Tensor]:
        """Raises `RuntimeError` if the work of `run` cannot be recorded."""
        current = torch.cuda.current_stream(self._device)
        self._stream.wait_stream(current)
        with torch.cuda.stream(self._stream):
            for _ in range(_WARM_UP):
                run()
        current.wait_stream(self._stream)
        graph = torch.cuda.CUDAGraph()
        shared = next(iter(self._graphs), None)
        pool = shared.pool() if shared else None
        # The outer scope brings the stream back even if the recording fails. Other threads decode meanwhile,
        # on another stream: what they may do is theirs (thread_local).
        with (
            _one_at_a_time,
            torch.cuda.stream(current),
            torch.cuda.graph(graph, pool=pool, stream=self._stream, capture_error_mode="thread_local"),
        ):
            output = run()
        self._graphs.add(graph)

        def repeat() -> Tensor:
            graph.replay()
            return output

        return repeat
