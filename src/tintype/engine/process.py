"""The worker's side of an engine host: starts the child process, speaks with it, sees it end.

Light: imports no tensor library.
"""

import asyncio
import collections
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from tintype.domain.errors import BadCheckpoint
from tintype.engine.frames import FrameError, decode_event, frame, receive_frame
from tintype.engine.limits import Limits
from tintype.engine.protocol import Broken, Command, Event, Ready, Stop, Watch

_REMEMBERED_LINES = 20
_BUFFER = 2**20
_PIECE = 2**18
_PARTING = 5.0


class HostDied(Exception):
    """The engine host ended without being told to."""

    def __init__(self, *, status: int, last_lines: tuple[str, ...]) -> None:
        self.status = status
        """Exit status; negative: the signal that killed it."""
        self.last_lines = last_lines
        """The end of what it wrote to stderr."""
        how = f"was killed by {_signal_name(-status)}" if status < 0 else f"exited with {status}"
        last = f": {last_lines[-1]}" if last_lines else ""
        super().__init__(f"The engine host {how}{last}")


class HostNotReady(Exception):
    """The engine host did not get ready in time."""


def _print_line(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


@asynccontextmanager
async def start_host(
    *,
    weights: str,
    device: str = "auto",
    dtype: str = "auto",
    offload: str = "none",
    quantisation: str = "none",
    threads: int = 0,
    places: int = 0,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    model_memory: float = 0.0,
    model_patience: float = 20.0,
    hub: bool = False,
    acceleration: str = "auto",
    patience: float = 300.0,
    on_log: Callable[[str], None] = _print_line,
) -> AsyncIterator["HostProcess"]:
    """A host that is ready. Leaving the scope ends it at once; `HostProcess.stop` beforehand drains it.

    Besides `weights` it holds other models, as jobs ask for them: `model_memory` is what all may take, in GiB
    (0: the device decides), `model_patience` the seconds that one waits before those in its way get no new
    jobs, and with `hub` they may have hub ids.

    `on_log` gets each line the host writes to stderr. Raises `BadCheckpoint` if the host cannot serve
    the weights, `HostDied` if it ends before it is ready, `HostNotReady` after `patience` seconds.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tintype.engine.host", "--weights", weights, "--device", device),
        *("--dtype", dtype, "--offload", offload, "--quantisation", quantisation),
        *("--threads", str(threads), "--places", str(places)),
        *("--memory-mb", str(limits.memory_mb), "--step-tokens", str(limits.step_tokens)),
        *("--prompt-cache-mb", str(limits.prompt_cache_mb)),
        *("--model-memory", str(model_memory), "--model-patience", str(model_patience)),
        *(["--hub"] if hub else []),
        *("--acceleration", acceleration),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=_BUFFER,
        start_new_session=True,  # a terminal's Ctrl-C is for the worker alone
    )
    host = HostProcess(process, on_log=on_log)
    try:
        await host.wait_until_ready(weights=weights, patience=patience)
        yield host
    finally:
        await host.close()


class HostProcess:
    """A running engine host. Made by `start_host`."""

    ready: Ready
    """What the host said about itself."""

    def __init__(self, process: asyncio.subprocess.Process, *, on_log: Callable[[str], None]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        self._process = process
        self._stdin = process.stdin
        self._stdout = process.stdout
        self._stopped = False
        self._turn = asyncio.Lock()
        self._sending: set[asyncio.Task[None]] = set()
        self._lines: collections.deque[str] = collections.deque(maxlen=_REMEMBERED_LINES)
        self._logs = asyncio.create_task(self._relay(process.stderr, on_log))

    @property
    def pid(self) -> int:
        return self._process.pid

    async def send(self, command: Command) -> None:
        """Whoever is cancelled while sending has sent the command nevertheless: frames are whole.

        Raises `HostDied` if nobody is there to read the command, `FrameError` if it is too large.
        """
        sending = asyncio.create_task(self._write(frame(command)))
        self._sending.add(sending)
        sending.add_done_callback(self._sending.discard)
        await asyncio.shield(sending)

    async def watch(self, job_id: str, seconds: float) -> None:
        """Have the job shown while it is drawn. Raises as `send`."""
        await self.send(Watch(id=job_id, seconds=seconds))

    async def stop(self) -> None:
        """Ask the host to finish what it has admitted; `events` then ends by itself."""
        self._stopped = True
        await self.send(Stop())

    async def events(self) -> AsyncIterator[Event]:
        """What the host says, until it has stopped as asked.

        Raises `HostDied` if it ends otherwise. One iteration at a time.
        """
        while (event := await self._receive()) is not None:
            yield event
        death = await self._death()
        if not self._stopped or death.status != 0:
            raise death

    def kill(self) -> None:
        """End the host without delay; whoever iterates `events` sees `HostDied`."""
        if self._process.returncode is None:
            self._process.kill()

    async def wait_until_ready(self, *, weights: str, patience: float) -> None:
        """The first event. See `start_host` for what it raises."""
        try:
            async with asyncio.timeout(patience):
                event = await self._receive()
        except TimeoutError as error:
            raise HostNotReady(f"The engine host was not ready after {patience:g} s") from error
        match event:
            case Ready():
                self.ready = event
            case Broken(reason=reason):
                problem = reason.removeprefix(f"{weights}: ")
                raise BadCheckpoint(path=weights, problem=problem)
            case _:
                raise await self._death()

    async def close(self) -> None:
        """End the host: at once, and completely. Harmless when it has ended already."""
        self._stdin.close()
        try:
            await self._end()
        finally:
            self.kill()
            await asyncio.shield(self._reap())
            await asyncio.gather(*self._sending, return_exceptions=True)

    async def _write(self, framed: bytearray) -> None:
        """One frame after another, in pieces, so that a large one never holds up the event loop."""
        try:
            async with self._turn:
                for start in range(0, len(framed), _PIECE):
                    self._stdin.write(framed[start : start + _PIECE])
                    await self._stdin.drain()
        except (ConnectionError, RuntimeError) as error:
            raise await self._death() from error

    async def _reap(self) -> None:
        with suppress(RuntimeError):  # somebody else reads it to its end
            while await self._stdout.read(_BUFFER):
                pass
        await self._process.wait()
        await self._logs

    async def _receive(self) -> Event | None:
        try:
            payload = await receive_frame(self._stdout)
        except FrameError:
            self.kill()
            return None
        return None if payload is None else decode_event(payload)

    async def _end(self) -> None:
        """Wait until the host has ended by itself, but not for ever."""
        try:
            async with asyncio.timeout(_PARTING):
                await self._process.wait()
        except TimeoutError:
            self.kill()

    async def _death(self) -> HostDied:
        """Called when a pipe has closed: the host has ended, or can do nothing any more."""
        await self._end()
        status = await self._process.wait()
        await self._logs
        return HostDied(status=status, last_lines=tuple(self._lines))

    async def _relay(self, stderr: asyncio.StreamReader, on_log: Callable[[str], None]) -> None:
        rest = b""
        while chunk := await stderr.read(_BUFFER):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                self._hear(line, on_log)
            rest = rest[-_BUFFER:]
        if rest:
            self._hear(rest, on_log)

    def _hear(self, line: bytes, on_log: Callable[[str], None]) -> None:
        text = line.decode(errors="replace").rstrip()
        self._lines.append(text)
        on_log(text)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
