"""A really started `tintype serve`, with the small words that tests need to speak with it."""

import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

import httpx2
import psutil

from databases import place_database
from tintype_client import Client, Task
from tintype_client.credentials import Credentials

MODEL = "black-forest-labs/flux-2-flex-t2i"
KEY, SECRET = "test-key-0123456789abcdefghij", "test-secret-0123456789abcdefghij"
STARTS_WITHIN = 240.0
STOPS_WITHIN = 90.0

STATUSES = (
    "task_queue",
    "task_accept",
    "task_preprocess_start",
    "task_preprocess_end",
    "task_assign",
    "task_start",
    "task_output",
    "task_end",
    "task_postprocess_start",
    "task_postprocess_end",
)


class ServedTask:
    """A task of a server, as a test sees it."""

    def __init__(self, server: "Server", *, id: str, token: str) -> None:
        self._server = server
        self.id = id
        self.token = token

    def detail(self) -> Task:
        """The task now."""
        return self._server.client.task(self.token)

    def reaches(self, status: str, *, within: float = 60.0) -> Task:
        """Waits until the task is at that status or past it. Fails if it ends elsewhere."""
        task = until(lambda: self._at(status), within=within, what=f"task {self.id} to reach {status}")
        assert status == "task_cancel" or not task.cancelled, f"{task} was cancelled"
        return task

    def ends(self, *, within: float = 60.0) -> Task:
        """Waits until the task has ended, however."""
        return self._server.client.wait(self.token, within=within)

    def kill(self) -> Task:
        return self._server.client.kill(self.token)

    def cancel(self) -> Task:
        return self._server.client.cancel(self.token)

    def _at(self, status: str) -> Task | None:
        task = self.detail()
        if task.is_terminal or task.status == status:
            return task
        if status in STATUSES and STATUSES.index(task.status) > STATUSES.index(status):
            return task
        return None


class Server:
    """One `tintype serve` process and everything below it."""

    def __init__(self, process: "subprocess.Popen[bytes]", *, url: str, data: Path, log: Path) -> None:
        self.process = process
        self.url = url
        self.data = data
        self.key = KEY
        self.secret = SECRET
        self._log = log
        self.client = Client(url, KEY, SECRET)
        self._http = httpx2.Client(base_url=url, timeout=30)
        self._family: dict[int, str] = {}

    # Asking

    def headers(self) -> dict[str, str]:
        """Fresh signed headers."""
        return Credentials(key=self.key, secret=self.secret).headers()

    def post(self, path: str, body: dict[str, Any] | None = None, **more: Any) -> httpx2.Response:
        """A signed POST, such as `post("/v1/Task/List", {})`, with the answer as it came."""
        return self._http.post(path, json=body or {}, headers=self.headers(), **more)

    def get(self, path: str) -> httpx2.Response:
        return self._http.get(path)

    def run(self, prompt: str = "a red apple", **inputs: Any) -> ServedTask:
        """Starts a task; small and short unless the inputs say otherwise."""
        asked = {"width": 64, "height": 64, "steps": 4} | inputs
        ticket = self.client.run(MODEL, prompt=prompt, **asked)
        return ServedTask(self, id=ticket.id, token=ticket.token)

    def run_long(self, prompt: str = "a red kite", **inputs: Any) -> ServedTask:
        """Starts a task of some ten seconds at least with `tiny_checkpoint`, and of short steps."""
        return self.run(prompt, **({"width": 768, "height": 768, "steps": 50} | inputs))

    # Living

    @property
    def log(self) -> str:
        """Everything the server has printed."""
        return self._log.read_text("utf-8", "replace")

    def is_ready(self) -> bool:
        try:
            return self.get("/readyz").status_code == 200
        except httpx2.TransportError:
            return False

    def wait_until_ready(self) -> Self:
        def ready_or_gone() -> bool:
            gone = self.process.poll()
            assert gone is None, f"tintype serve exited with {gone}:\n{self.log}"
            return self.is_ready()

        until(ready_or_gone, within=STARTS_WITHIN, what="the server to get ready", log=lambda: self.log)
        self._family |= descendants(self.process.pid)
        return self

    def engine_hosts(self) -> list[int]:
        """The processes that hold the engine."""
        self._family |= descendants(self.process.pid)
        return [pid for pid, command in self._family.items() if "engine.host" in command and alive(pid)]

    def freeze_engine(self) -> None:
        """Stops the engine as it is, so that what it draws takes for ever."""
        for pid in self.engine_hosts():
            os.kill(pid, signal.SIGSTOP)

    def thaw_engine(self) -> None:
        """Lets a frozen engine go on."""
        for pid in self.engine_hosts():
            os.kill(pid, signal.SIGCONT)

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait(self, *, within: float = STOPS_WITHIN) -> int:
        """The exit status, once the process has ended."""
        try:
            return self.process.wait(within)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the server did not end within {within:g} s:\n{self.log}") from None

    def stop(self) -> int:
        """SIGTERM, and the exit status."""
        self.engine_hosts()
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
        return self.wait()

    def crash(self) -> None:
        """SIGKILL: what a power cut or the OOM killer does."""
        self.engine_hosts()
        self.process.kill()
        self.process.wait(10)

    def orphans(self, *, within: float = 10.0) -> list[int]:
        """Processes of this server that outlived it for so long."""
        deadline = time.monotonic() + within
        while (left := [pid for pid in self._family if alive(pid)]) and time.monotonic() < deadline:
            time.sleep(0.05)
        return left

    def close(self) -> None:
        """Ends the process if it still runs, its engine even if it is frozen, and gives everything back."""
        self.client.close()
        self._http.close()
        hosts = self.engine_hosts()
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)
        for host in hosts:
            with suppress(ProcessLookupError):
                os.kill(host, signal.SIGKILL)


def server_environment(data: Path, port: int, **settings: Any) -> dict[str, str]:
    """The environment of a server: nothing of the caller's own settings, and what the test says."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TINTYPE_")}
    given = {"data": data, "port": port, "bootstrap_key": KEY, "bootstrap_secret": SECRET} | settings
    return clean | {f"TINTYPE_{name.upper()}": str(value) for name, value in given.items() if value != ""}


@contextmanager
def start_server(data: Path, *, port: int = 0, migrated: bool = True, **settings: Any) -> Iterator[Server]:
    """A ready server. Leaving the scope stops it; a test may stop or crash it earlier.

    `settings` are those of `tintype.settings`, by their names: `weights="blank:"`, `grace=1`. Unless the
    database is `migrated` already, the server does that first.
    """
    port = port or free_port()
    data.mkdir(parents=True, exist_ok=True)
    if migrated:
        place_database(data / "tintype.db")
    log = data.parent / f"{data.name}-{port}-{time.monotonic_ns()}.log"
    with log.open("wb") as sink:
        process = subprocess.Popen(
            [sys.executable, "-m", "tintype", "serve"],
            env=server_environment(data, port, **settings),
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            cwd=data.parent,
        )
    server = Server(process, url=f"http://127.0.0.1:{port}", data=data, log=log)
    try:
        yield server.wait_until_ready()
        if process.poll() is None:
            status = server.stop()
            assert status == 0, f"the server exited with {status}:\n{server.log}"
        assert server.orphans() == [], "an engine host outlived its server"
    finally:
        server.close()


def free_port() -> int:
    """A port that nobody listens on at this moment.

    It is none of those that the system hands out, so that no connection takes it before a server does.
    """
    while True:
        port = random.SystemRandom().randrange(10_000, 32_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def until(
    condition: Callable[[], Any], *, within: float, what: str, log: Callable[[], str] = lambda: ""
) -> Any:
    """Waits for a condition and returns what it gave. Fails with `what` after `within` seconds."""
    deadline = time.monotonic() + within
    while not (value := condition()):
        assert time.monotonic() < deadline, f"waited {within:g} s in vain for {what}\n{log()}"
        time.sleep(0.05)
    return value


def descendants(pid: int) -> dict[int, str]:
    """The processes below one, with their command lines."""
    below: dict[int, str] = {}
    with suppress(psutil.NoSuchProcess):
        for process in psutil.Process(pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                below[process.pid] = " ".join(process.cmdline())
    return below


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and was not yet collected does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
