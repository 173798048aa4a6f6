"""What can go wrong with a host that draws, made to go wrong in a real one, by what a prompt says.

`segmentation fault`, `abort`: the process dies in the job's first step. `lost device`: that step raises what
CUDA raises from then on. `leak`: the job leaves so many MiB behind, as in `leak 64`. `waits for`: its
picture is not finished before that file exists.
"""

import ctypes
import os
import re
import sys
import time
from typing import Any

from tintype.engine.protocol import Job
from tintype.engine.serving import Serving

_left_behind: list[bytes] = []


def infect() -> None:
    """Every engine that a host starts with from now on is sick."""
    begin = Serving.__init__

    def begin_sick(self: Serving, models: Any, inbox: Any) -> None:
        for engine in models._engines.values():
            _infect_steps(engine)
            _infect_ends(engine)
        begin(self, models, inbox)

    Serving.__init__ = begin_sick  # type: ignore[method-assign]


def _infect_steps(engine: Any) -> None:
    if "tintype.engine.flux2.batch" not in sys.modules:
        step = engine.step

        def step_blank() -> Any:
            for denoised in list(engine._waiting.values())[:1]:
                suffer(denoised.job)
            return step()

        engine.step = step_blank
        return
    from tintype.engine.flux2.batch import Batch

    step_batch = Batch.step

    def step_sick(self: Batch, transformer: Any) -> Any:
        for run in self.runs:
            suffer(run.job)
        return step_batch(self, transformer)

    Batch.step = step_sick  # type: ignore[method-assign]


def _infect_ends(engine: Any) -> None:
    finish = engine.finish

    def finish_sick(denoised: Any) -> Any:
        if leak := re.search(r"leak (\d+)", denoised.job.prompt):
            _left_behind.append(b"x" * (int(leak[1]) * 2**20))
        if awaited := re.search(r"waits for (\S+)", denoised.job.prompt):
            while not os.path.exists(awaited[1]):
                time.sleep(0.01)
        return finish(denoised)

    engine.finish = finish_sick


def suffer(job: Job) -> None:
    if "segmentation fault" in job.prompt:
        ctypes.string_at(0)
    if "abort" in job.prompt:
        os.abort()
    if "lost device" in job.prompt:
        import torch

        raise torch.AcceleratorError("CUDA error: an illegal memory access was encountered")
