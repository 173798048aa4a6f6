"""The host's ends of its pipes: an inbox of commands, an outbox of events, a thread each."""

import os
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO, NoReturn

import msgspec

from tintype.engine.finishing import Unfinished
from tintype.engine.frames import decode_command, frame, read_frame
from tintype.engine.loading import Ended, News
from tintype.engine.log import log
from tintype.engine.preparing import Prepared
from tintype.engine.protocol import Command, Event, Failed

Inner = Prepared | Unfinished | News | Ended
"""What the host says to itself."""


class Inbox:
    """Commands from stdin, and what has been done beside the steps.

    The end of stdin ends the process: nobody is left to draw for.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._commands: queue.SimpleQueue[Command | Inner] = queue.SimpleQueue()

    def start(self, post: Callable[[Event], None]) -> None:
        threading.Thread(target=self._read, args=(post,), name="reader", daemon=True).start()

    @property
    def is_empty(self) -> bool:
        return self._commands.empty()

    def put(self, message: Inner) -> None:
        self._commands.put(message)

    def take(self, *, wait: bool) -> Iterator[Command | Inner]:
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
    is_job = isinstance(message, dict) and message.get("type") == "job"
    if is_job and isinstance(message.get("id"), str):
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


def take_stdout() -> BinaryIO:
    """The real stdout; from now on a stray print goes to stderr and cannot corrupt a frame."""
    frames = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return frames
