"""What Tintype adds to the engine's own time: a really started server whose engine draws nothing.

    python benchmarks/overhead.py [--seconds 10] [--clients 1 32]

Each client sends Run and polls Task/Detail until its task ends, one task after another. Printed for every
number of clients: milliseconds from Run to the result seen (p50, p99), tasks per second, and their ratio.
"""

import argparse
import asyncio
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tintype.domain.signature import sign

KEY, SECRET, NONCE = "overhead-key", "overhead-secret", "7"
SIGNED = (
    f"x-api-key: {KEY}\r\nx-nonce: {NONCE}\r\nx-signature: {sign(key=KEY, secret=SECRET, nonce=NONCE)}\r\n"
)
RUN = "/v1/Run/black-forest-labs/flux-2-flex-t2i"
INPUTS = {"prompt": "nothing", "width": 64, "height": 64, "steps": 1}
TERMINAL = ("task_postprocess_end", "task_cancel")


class Connection:
    """One kept-alive HTTP/1.1 connection; as thin as a client can be, since it shares the machine."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def post(self, path: str, body: dict[str, object]) -> dict[str, object]:
        payload = json.dumps(body).encode()
        head = (
            f"POST {path} HTTP/1.1\r\nHost: tintype\r\n{SIGNED}"
            f"Content-Type: application/json\r\nContent-Length: {len(payload)}\r\n\r\n"
        )
        self.writer.write(head.encode() + payload)
        answer = (await self.reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(answer.split("content-length:")[1].split("\r\n")[0])
        return json.loads(await self.reader.readexactly(length))


@dataclass(frozen=True)
class Figures:
    """Of one load: milliseconds from Run to result, and tasks per second."""

    clients: int
    p50: float
    p99: float
    per_second: float


async def measure(port: int, *, clients: int, seconds: float) -> Figures:
    """Keeps `clients` clients busy for so long."""
    times: list[float] = []
    started = time.perf_counter()
    pause = 0.001 if clients == 1 else 0.1  # polls cost CPU that the server then lacks

    async def client() -> None:
        connection = Connection(*await asyncio.open_connection("127.0.0.1", port))
        while time.perf_counter() - started < seconds:
            begun = time.perf_counter()
            run = await connection.post(RUN, INPUTS)
            while True:
                detail = await connection.post("/v1/Task/Detail", {"taskid": run["taskid"]})
                task = detail["tasklist"][0]
                if task["status"] in TERMINAL:
                    break
                await asyncio.sleep(pause)
            if task["pexit"] != "0":
                raise SystemExit(f"a task failed: {task['debugerror']}")
            times.append(time.perf_counter() - begun)
        connection.writer.close()

    await asyncio.gather(*(client() for _ in range(clients)))
    elapsed = time.perf_counter() - started
    cuts = statistics.quantiles(times, n=100)
    return Figures(clients, cuts[49] * 1000, cuts[98] * 1000, len(times) / elapsed)


@contextmanager
def blank_server() -> Iterator[int]:
    """A server on a free port whose engine answers every job with a plain picture at once."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            **os.environ,
            "TINTYPE_DATA": folder,
            "TINTYPE_PORT": str(port),
            "TINTYPE_WEIGHTS": "blank:",
            "TINTYPE_BOOTSTRAP_KEY": KEY,
            "TINTYPE_BOOTSTRAP_SECRET": SECRET,
            "TINTYPE_LOG_LEVEL": "warning",
        }
        server = subprocess.Popen(
            [sys.executable, "-m", "tintype", "serve"], env=environment, stdout=subprocess.DEVNULL
        )
        try:
            _wait_for(port, server)
            yield port
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(30)


def _wait_for(port: int, server: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and server.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                probe.sendall(b"GET /readyz HTTP/1.0\r\n\r\n")
                if b" 200 " in probe.recv(100):
                    return
        time.sleep(0.1)
    raise SystemExit("the server did not get ready")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=10.0, help="how long each load lasts")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 32], help="numbers of clients")
    parser.add_argument("--json", action="store_true", help="print one JSON object per load")
    arguments = parser.parse_args()
    with blank_server() as port:
        asyncio.run(measure(port, clients=1, seconds=1.0))
        loads = [
            asyncio.run(measure(port, clients=clients, seconds=arguments.seconds))
            for clients in arguments.clients
        ]
    for load in loads:
        if arguments.json:
            print(json.dumps(load.__dict__))
        else:
            print(
                f"{load.clients:4d} clients: Run → result p50 {load.p50:7.1f} ms, p99 {load.p99:7.1f} ms, "
                f"{load.per_second:7.1f} tasks/s ({load.per_second / loads[0].per_second:.2f}×)"
            )


if __name__ == "__main__":
    main()
