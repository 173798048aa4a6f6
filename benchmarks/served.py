"""A started server whose engine draws nothing, for benchmarks; and the thinnest clients that can call it."""

import asyncio
import json
import os
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from tintype.domain.signature import sign

KEY, SECRET, NONCE = "benchmark-key", "benchmark-secret", "7"
SIGNED = (
    f"x-api-key: {KEY}\r\nx-nonce: {NONCE}\r\nx-signature: {sign(key=KEY, secret=SECRET, nonce=NONCE)}\r\n"
)
RUN, DETAIL = "/v1/Run/black-forest-labs/flux-2-flex-t2i", "/v1/Task/Detail"
INPUTS = {"prompt": "nothing", "width": 64, "height": 64, "steps": 1}
TERMINAL = ("task_postprocess_end", "task_cancel")


class Connection:
    """One kept-alive HTTP/1.1 connection; as thin as a client can be, since it shares the machine."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def open(cls, port: int) -> Self:
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def post(self, path: str, body: dict[str, object]) -> dict[str, Any]:
        payload = json.dumps(body).encode()
        head = (
            f"POST {path} HTTP/1.1\r\nHost: tintype\r\n{SIGNED}"
            f"Content-Type: application/json\r\nContent-Length: {len(payload)}\r\n\r\n"
        )
        self.writer.write(head.encode() + payload)
        answer = (await self.reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(answer.split("content-length:")[1].split("\r\n")[0])
        content: dict[str, Any] = json.loads(await self.reader.readexactly(length))
        return content

    def close(self) -> None:
        self.writer.close()


class Socket:
    """One WebSocket; as thin. Answers pings, ignores everything but text."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def open(cls, port: int, line: socket.socket | None = None) -> Self:
        """On a connected socket, or on a new one."""
        given = {"sock": line} if line else {"host": "127.0.0.1", "port": port}
        reader, writer = await asyncio.open_connection(**given)
        writer.write(
            b"GET /v1 HTTP/1.1\r\nHost: tintype\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        await reader.readuntil(b"\r\n\r\n")
        return cls(reader, writer)

    def register(self, token: str, **more: object) -> None:
        self._send(0x81, json.dumps({"type": "task_info", "tasktoken": token, **more}).encode())

    async def next(self) -> bytes | None:
        """The text of the next frame; None once the connection is over."""
        while True:
            try:
                first, length = await self.reader.readexactly(2)
            except (asyncio.IncompleteReadError, ConnectionError):
                return None
            if length == 126:
                (length,) = struct.unpack("!H", await self.reader.readexactly(2))
            elif length == 127:
                (length,) = struct.unpack("!Q", await self.reader.readexactly(8))
            payload = await self.reader.readexactly(length)
            match first & 0x0F:
                case 1:
                    return payload
                case 8:
                    return None
                case 9:
                    self._send(0x8A, payload)

    def close(self) -> None:
        self.writer.close()

    def _send(self, first: int, payload: bytes) -> None:
        """A frame of less than 64 KiB under a mask of zeros."""
        length = len(payload)
        head = (
            struct.pack("!BB", first, 0x80 | length)
            if length < 126
            else struct.pack("!BBH", first, 0xFE, length)
        )
        self.writer.write(head + bytes(4) + payload)


@dataclass(frozen=True)
class Process:
    """A process that is measured."""

    pid: int

    @property
    def memory(self) -> float:
        """Resident MiB."""
        return float(self._ask("rss")) / 1024

    @property
    def cpu(self) -> float:
        """Seconds of CPU so far; whole ones where there is no /proc."""
        stat = Path(f"/proc/{self.pid}/stat")
        if stat.exists():
            user, system = stat.read_text().rpartition(")")[2].split()[11:13]
            return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
        fields = self._ask("time").replace("-", ":").split(":")
        return sum(
            float(field) * unit for field, unit in zip(reversed(fields), (1, 60, 3600, 86400), strict=False)
        )

    def _ask(self, what: str) -> str:
        asked = ["ps", "-o", f"{what}=", "-p", str(self.pid)]
        return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()


@dataclass(frozen=True)
class Served:
    """A started server."""

    port: int
    process: Process


@contextmanager
def serving(data: Path | None = None, **settings: object) -> Iterator[Served]:
    """A server on a free port whose engine answers every job with a plain picture at once."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="tintype-benchmark-") as folder:
        given = {
            "data": data or folder,
            "port": port,
            "weights": "blank:",
            "bootstrap_key": KEY,
            "bootstrap_secret": SECRET,
            "log_level": "warning",
        } | settings
        environment = {name: value for name, value in os.environ.items() if not name.startswith("TINTYPE_")}
        environment |= {f"TINTYPE_{name.upper()}": str(value) for name, value in given.items()}
        command = [sys.executable, "-m", "tintype", "serve"]
        server = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
        try:
            wait_for(port, server)
            yield Served(port, Process(server.pid))
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(60)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(port: int, server: "subprocess.Popen[Any]") -> None:
    """Until the server is ready. Ends the program if it never is."""
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline and server.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                probe.sendall(b"GET /readyz HTTP/1.0\r\n\r\n")
                if b" 200 " in probe.recv(100):
                    return
        time.sleep(0.1)
    raise SystemExit("the server did not get ready")


def allow_many_files(wanted: int) -> None:
    """Raises the limit of open files as far as needed and possible; inherited by what is started."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard) if hard > 0 else wanted, hard))


def milliseconds(times: Sequence[float]) -> str:
    """The 50th and the 99th percentile of seconds."""
    if len(times) < 2:
        return "too few to tell"
    cuts = statistics.quantiles(times, n=100)
    return f"p50 {1000 * cuts[49]:7.1f} ms, p99 {1000 * cuts[98]:7.1f} ms"
