"""The `tintype` command as a person calls it: a process, sometimes on a terminal."""

import os
import pty
import re
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from databases import place_database

TINTYPE = (sys.executable, "-m", "tintype")
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def environment(**settings: str) -> dict[str, str]:
    """This environment, with none of the caller's settings and those of the test."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TINTYPE_")}
    return clean | {"COLUMNS": "100"} | {f"TINTYPE_{name.upper()}": value for name, value in settings.items()}


def tintype(
    *arguments: str, cwd: Path, timeout: float = 240, migrated: bool = True, **settings: str
) -> subprocess.CompletedProcess[str]:
    """Calls `tintype` without a terminal, to its end. A new data folder has a `migrated` database."""
    if migrated and "data" in settings and not (folder := cwd / settings["data"]).exists():
        place_database(folder / "tintype.db")
    return subprocess.run(
        [*TINTYPE, *arguments],
        cwd=cwd,
        env=environment(**settings),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
    )


class Terminal:
    """A process on a terminal of its own."""

    def __init__(self, process: "subprocess.Popen[bytes]", master: int) -> None:
        self.process = process
        self._master = master
        self._written = ""

    @property
    def screen(self) -> str:
        """All that was written, one thing after another, without colours and movements."""
        return _CONTROL.sub("", self._written)

    def shows(self, text: str, *, within: float = 240.0) -> None:
        """Waits until the text has been on the screen."""
        deadline = time.monotonic() + within
        while text not in self.screen:
            assert time.monotonic() < deadline, f"waited in vain for {text!r} on:\n{self.screen[-500:]}"
            assert self._read(0.1) or text in self.screen, f"{text!r} never came:\n{self.screen[-500:]}"

    def types_secretly(self, text: str, *, within: float = 240.0) -> None:
        """What a person types once the terminal shows it no longer."""
        deadline = time.monotonic() + within
        while termios.tcgetattr(self._master)[3] & termios.ECHO:
            assert time.monotonic() < deadline, "the terminal went on showing what is typed"
            time.sleep(0.02)
        os.write(self._master, text.encode())

    def press_control_c(self) -> None:
        """What the terminal does: SIGINT to the whole foreground group."""
        os.killpg(self.process.pid, signal.SIGINT)

    def ends(self, *, within: float = 240.0) -> int:
        """The exit status, once the process has ended."""
        deadline = time.monotonic() + within
        while self.process.poll() is None:
            assert time.monotonic() < deadline, f"still running:\n{self.screen[-500:]}"
            self._read(0.05)
        while self._read(0):
            pass
        return self.process.returncode

    def _read(self, wait: float) -> bool:
        """Takes up what has been written; False when nothing can come any more."""
        if not select.select([self._master], [], [], wait)[0]:
            return wait > 0
        try:
            chunk = os.read(self._master, 65536)
        except OSError:  # the other side is closed
            return False
        self._written += chunk.decode("utf-8", "replace")
        return bool(chunk)


@contextmanager
def on_terminal(*arguments: str, cwd: Path, **settings: str) -> Iterator[Terminal]:
    """Calls `tintype` on a terminal; leaving the scope ends it."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [*TINTYPE, *arguments],
        cwd=cwd,
        env=environment(**settings) | {"TERM": "xterm-256color"},
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
    )
    os.close(slave)
    try:
        yield Terminal(process, master)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(10)
        os.close(master)
