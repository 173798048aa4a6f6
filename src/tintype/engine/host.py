"""The engine host: a child process that owns one device. `python -m tintype.engine.host --weights PATH`.

Commands come as frames on stdin, events go as frames to stdout, logs to stderr. Moves messages between
the pipe and an engine; knows no database, no task and no secret.

A reader of commands has its own thread; so has stepping (the main thread, the only one that schedules; on
a CPU others help it denoise); beside the steps reference pictures are prepared, pictures finished and
previews made, on a thread each; and events have a writer, so that a slow reader on the other side never
delays a step.

It leaves when told to stop, and at once when stdin ends, since then its worker is gone. SIGINT and
SIGTERM are ignored: what they mean is the worker's to decide.
"""

import argparse
import gc
import os
import signal
import sys
import traceback
from collections.abc import Callable
from typing import NoReturn

import msgspec

from tintype.domain.errors import BadCheckpoint
from tintype.domain.placement import Dtype, Offload, Placement, Quantisation
from tintype.domain.source import BLANK, Source
from tintype.engine.acceleration import read_acceleration
from tintype.engine.allocator import keep_memory
from tintype.engine.engine import problem_of
from tintype.engine.limits import Limits
from tintype.engine.log import log
from tintype.engine.models import Models
from tintype.engine.opening import Opener
from tintype.engine.pipes import Inbox, Inner, outbox, take_stdout
from tintype.engine.protocol import Broken, Event
from tintype.engine.serving import Serving

ENVIRONMENT = {
    # Threads that wait, sleep: with spinning ones, a machine that is busy otherwise, if only with
    # serving, draws several times slower.
    "OMP_WAIT_POLICY": "PASSIVE",
    "DIFFUSERS_VERBOSITY": "error",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "TRANSFORMERS_VERBOSITY": "error",
}


def main() -> NoReturn:
    options = _options()
    _prepare_process(hub=options.hub or not os.path.isdir(options.weights))
    try:
        with outbox(take_stdout()) as post:
            status = run(options, Inbox(sys.stdin.buffer), post)
    except Exception:
        log("engine host failed", traceback=traceback.format_exc())
        status = 1
    # Past this point nothing is left to say. Reader and libraries may still hold threads.
    os._exit(status)


def run(options: argparse.Namespace, inbox: Inbox, post: Callable[[Event], None]) -> int:
    """Load and serve; the exit status."""
    inbox.start(post)
    gc.disable()  # imports leave no garbage, and looking for it takes an eighth of their time
    try:
        models = load(options, post=post, put=inbox.put)
    except Exception as error:
        if not isinstance(error, BadCheckpoint):
            log("engine host broken", traceback=traceback.format_exc())
        post(Broken(reason=problem_of(error)))
        return 1
    gc.enable()
    ready = models.ready()
    log("engine host ready", **msgspec.structs.asdict(ready))
    post(ready)
    with models:
        Serving(models, inbox).run()
    return 0


def load(
    options: argparse.Namespace, *, post: Callable[[Event], None], put: Callable[[Inner], None]
) -> Models:
    """The models of this host, with one that is loaded already.

    Raises `BadCheckpoint` if there is nothing to draw with at `options.weights`.
    """
    opener = Opener(
        weights=options.weights,
        wanted=Placement(
            device=options.device,
            dtype=Dtype(options.dtype),
            offload=Offload(options.offload),
            quantisation=Quantisation(options.quantisation),
        ),
        threads=options.threads,
        places=options.places,
        limits=Limits(
            memory_mb=options.memory_mb,
            step_tokens=options.step_tokens,
            prompt_cache_mb=options.prompt_cache_mb,
        ),
        acceleration=read_acceleration(options.acceleration),
    )
    first = opener.open(Source())
    return Models(
        first,
        weights=options.weights,
        loader=opener,
        budget=opener.budget(options.model_memory, first),
        patience=options.model_patience,
        post=post,
        put=put,
    )


def _prepare_process(*, hub: bool) -> None:
    keep_memory()
    for ignored in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ignored, signal.SIG_IGN)
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    if not hub:
        os.environ["HF_HUB_OFFLINE"] = os.environ["TRANSFORMERS_OFFLINE"] = "1"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tintype.engine.host", description="Draws for a worker.")
    parser.add_argument("--weights", required=True, help=f"a FLUX.2 folder, a hub id, or {BLANK}")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, mps")
    parser.add_argument("--dtype", default="auto", choices=list(Dtype))
    parser.add_argument("--offload", default="none", choices=list(Offload))
    parser.add_argument("--quantisation", default="none", choices=list(Quantisation))
    parser.add_argument("--threads", type=int, default=0, help="of the CPU; 0: torch decides")
    parser.add_argument("--places", type=int, default=0, help="jobs at once; 0: the engine decides")
    usual = Limits()
    parser.add_argument(
        "--memory-mb", type=int, default=usual.memory_mb, help="of jobs; 0: the engine decides"
    )
    parser.add_argument("--step-tokens", type=int, default=usual.step_tokens, help="0: the engine decides")
    parser.add_argument("--prompt-cache-mb", type=int, default=usual.prompt_cache_mb)
    parser.add_argument(
        "--model-memory", type=float, default=0.0, help="GiB of weights; 0: the device decides"
    )
    parser.add_argument(
        "--model-patience", type=float, default=20.0, help="seconds that a model waits for room"
    )
    parser.add_argument("--hub", action="store_true", help="jobs may ask for models by their hub ids")
    parser.add_argument("--acceleration", default="auto", help="auto, off, or such as compile=on,fp8=on")
    return parser.parse_args()


if __name__ == "__main__":
    main()
