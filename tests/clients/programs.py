"""Clients that are not ours to change: where they come from, and how they are run."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from serving import MODEL, Server

HERE = Path(__file__).parent
NODE_VERSION_WITH_SOCKETS = 22


@dataclass(frozen=True)
class Program:
    """A client program. It prints what it has seen as JSON; `draw` and `end` are its two parts."""

    script: str
    package: str = ""
    """The published npm package that it drives."""
    lists: bool = True
    """Whether it lists models and uploads files."""
    follows: bool = True
    """Whether it follows a task over the WebSocket."""

    def run(self, part: str, server: Server, folder: Path) -> dict[str, Any]:
        """What the program reports."""
        done = subprocess.run(
            [*self._interpreter(), self._place(folder), part],
            env=os.environ
            | {"SERVER": server.url, "KEY": server.key, "SECRET": server.secret, "MODEL": MODEL},
            capture_output=True,
            text=True,
            timeout=100,
        )
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        report: dict[str, Any] = json.loads(done.stdout)
        return report

    def _interpreter(self) -> list[str]:
        if self.script.endswith(".py"):
            return [sys.executable]
        name = "bash" if self.script.endswith(".sh") else "node"
        found = shutil.which(name)
        if found is None:
            pytest.skip(f"there is no {name} on this machine")
        return [found]

    def _place(self, folder: Path) -> str:
        """The script where it finds its package: beside `node_modules`."""
        if not self.package:
            return str(HERE / self.script)
        modules = os.environ.get("PUBLISHED_CLIENTS") or install(self.package, folder)
        return shutil.copy(HERE / self.script, Path(modules))


def install(package: str, folder: Path) -> str:
    """A folder with the package in its `node_modules`. Skips the test, saying why, if it cannot be had."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip(f"{package} cannot be installed: there is no npm on this machine")
    done = subprocess.run(
        [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", folder, package, "ws"],
        capture_output=True,
        text=True,
        timeout=300,
    )
    if done.returncode != 0:
        problem = next((line for line in done.stderr.splitlines() if "error" in line), "npm failed")
        pytest.skip(f"{package} cannot be installed from the npm registry: {problem}")
    return str(folder)


def node_has_sockets() -> bool:
    """Whether Node brings a WebSocket of its own."""
    node = shutil.which("node")
    if node is None:
        return False
    version = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=30).stdout
    return int(version.removeprefix("v").split(".")[0]) >= NODE_VERSION_WITH_SOCKETS
