"""The engine host: a child process that owns one device. `python -m tintype.engine.host --weights PATH`.

Commands come as frames on stdin, events go as frames to stdout, logs to stderr. Moves messages between
the pipe and an engine; knows no database, no task and no secret.

Four threads: a reader of commands, one that steps (the main thread, the only one that schedules and
denoises), one that finishes pictures beside the next steps, and a writer of events, so that a slow
reader on the other side never delays a step.

It leaves when told to stop, and at once when stdin ends, since then its worker is gone. SIGINT and
SIGTERM are ignored: what they mean is the worker's to decide.
"""

import argparse
import os
import queue
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import BinaryIO, NoReturn

import msgspec

from tintype.domain.errors import BadCheckpoint
from tintype.engine.engine import BadJob, Denoised, Engine
from tintype.engine.frames import decode_command, frame, read_frame
from tintype.engine.log import log
from tintype.engine.protocol import Broken, Command, Drop, Dropped, Event, Failed, Job, Stop

BLANK = "blank:"
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
    _prepare_process(options.weights)
    try:
        with outbox(_take_stdout()) as post:
            status = run(options, Inbox(sys.stdin.buffer), post)
    except Exception:
        log("engine host failed", traceback=traceback.format_exc())
        status = 1
    # Past this point nothing is left to say. Reader and libraries may still hold threads.
    os._exit(status)


def run(options: argparse.Namespace, inbox: "Inbox", post: Callable[[Event], None]) -> int:
    """Load and serve; the exit status."""
    inbox.start(post)
    try:
        engine = load(options)
    except Exception as error:
        if not isinstance(error, BadCheckpoint):
            log("engine host broken", traceback=traceback.format_exc())
        post(Broken(reason=_reason(error)))
        return 1
    ready = engine.ready()
    log("engine host ready", **msgspec.structs.asdict(ready))
    post(ready)
    serve(engine, inbox, post)
    return 0


def load(options: argparse.Namespace) -> Engine:
    """Raises `BadCheckpoint` if there is nothing to draw with at `options.weights`."""
    if options.weights == BLANK:
        from tintype.engine.blank import BlankEngine

        return BlankEngine(places=options.places or 64)
    from tintype.engine.flux2.load import load_engine

    return load_engine(options.weights, device=options.device, threads=options.threads, places=options.places)


def serve(engine: Engine, inbox: "Inbox", post: Callable[[Event], None]) -> None:
    """Draw what comes, until a `Stop` came and everything admitted has left."""
    stopping = False
    with Finishing(engine, post) as finishing:
        while not (stopping and engine.idle):
            for command in inbox.take(wait=engine.idle):
                match command:
                    case Job():
                        _admit(engine, command, post)
                    case Drop(id=job_id):
                        if engine.drop(job_id) or finishing.drop(job_id):
                            post(Dropped(id=job_id))
                    case Stop():
                        stopping = True
            for event in engine.step():
                if isinstance(event, Denoised):
                    finishing.take(event)
                else:
                    post(event)


def _admit(engine: Engine, job: Job, post: Callable[[Event], None]) -> None:
    try:
        engine.admit(job)
    except Exception as error:
        if not isinstance(error, BadJob):
            log("job not admitted", job=job.id, traceback=traceback.format_exc())
        post(Failed(id=job.id, reason=_reason(error)))


class Finishing:
    """Pictures being decoded and encoded beside the next steps. Leaving the scope finishes them all."""

    def __init__(self, engine: Engine, post: Callable[[Event], None]) -> None:
        self._engine = engine
        self._post = post
        self._wanted: dict[str, Denoised] = {}
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="finishing")

    def __enter__(self) -> "Finishing":
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.shutdown(wait=True)

    def take(self, denoised: Denoised) -> None:
        self._wanted[denoised.job.id] = denoised
        self._thread.submit(self._finish, denoised.job.id)

    def drop(self, job_id: str) -> bool:
        return self._wanted.pop(job_id, None) is not None

    def _finish(self, job_id: str) -> None:
        denoised = self._wanted.get(job_id)
        if denoised is None:
            return
        event: Event
        try:
            event = self._engine.finish(denoised)
        except Exception as error:
            log("picture not finished", job=job_id, traceback=traceback.format_exc())
            event = Failed(id=job_id, reason=_reason(error))
        if self._wanted.pop(job_id, None) is not None:
            self._post(event)


class Inbox:
    """Commands from stdin. The end of stdin ends the process: nobody is left to draw for."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._commands: queue.SimpleQueue[Command] = queue.SimpleQueue()

    def start(self, post: Callable[[Event], None]) -> None:
        threading.Thread(target=self._read, args=(post,), name="reader", daemon=True).start()

    def take(self, *, wait: bool) -> Iterator[Command]:
        """All commands that are here; with `wait`, at least one."""
        try:
            yield self._commands.get(block=wait)
            while True:
                yield self._commands.get_nowait()
        except queue.Empty:
            return

    def _read(self, post: Callable[[Event], None]) -> NoReturn:
        try:
            while (payload := read_frame(self._stream)) is not None:
                try:
                    self._commands.put(decode_command(payload))
                except msgspec.DecodeError as error:
                    _refuse(payload, error, post)
        except Exception as error:
            log("commands unreadable", error=error)
            os._exit(2)
        os._exit(0)


def _refuse(payload: bytes, error: Exception, post: Callable[[Event], None]) -> None:
    """A command that makes no sense fails the job it names, if it names one."""
    log("command refused", error=error)
    try:
        message = msgspec.msgpack.decode(payload)
    except msgspec.DecodeError:
        return
    if isinstance(message, dict) and isinstance(message.get("id"), str):
        post(Failed(id=message["id"], reason=str(error)))


@contextmanager
def outbox(stream: BinaryIO) -> Iterator[Callable[[Event], None]]:
    """A function that posts an event and never waits. Leaving the scope writes what is left."""
    events: queue.SimpleQueue[Event | None] = queue.SimpleQueue()

    def write() -> None:
        while (event := events.get()) is not None:
            try:
                stream.write(frame(event))
                stream.flush()
            except OSError:
                os._exit(0)  # nobody listens any more
            except Exception as error:
                log("event unwritable", error=error)
                os._exit(2)

    writer = threading.Thread(target=write, name="writer", daemon=True)
    writer.start()
    try:
        yield events.put
    finally:
        events.put(None)
        writer.join()


def _take_stdout() -> BinaryIO:
    """The real stdout; from now on a stray print goes to stderr and cannot corrupt a frame."""
    frames = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return frames


def _prepare_process(weights: str) -> None:
    for ignored in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ignored, signal.SIG_IGN)
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    if os.path.isdir(weights):
        os.environ["HF_HUB_OFFLINE"] = os.environ["TRANSFORMERS_OFFLINE"] = "1"


def _reason(error: Exception) -> str:
    if isinstance(error, BadCheckpoint | BadJob):
        return str(error)
    return " ".join(f"{type(error).__name__}: {error}".split())


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tintype.engine.host", description="Draws for a worker.")
    parser.add_argument("--weights", required=True, help=f"a FLUX.2 folder, a hub id, or {BLANK}")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, mps")
    parser.add_argument("--threads", type=int, default=0, help="of the CPU; 0: torch decides")
    parser.add_argument("--places", type=int, default=0, help="jobs at once; 0: the engine decides")
    return parser.parse_args()


if __name__ == "__main__":
    main()
