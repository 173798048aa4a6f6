"""Two or more runs of one training on one machine, each on a core of its own, that average their weights.

Processes that share every step wait for each other at every step. These meet once a round and only as long as
it takes: who is late is left out of the round, and runs may come and go.
"""

import os
import time
from pathlib import Path

import torch

FOLDER = Path("/dev/shm/tintype-training")
ROUND = 60.0  #: seconds
PATIENCE = 8.0  #: seconds to wait for the others, at most


class Company:
    """The weights of one model, shared through a folder in memory.

    `training` names what is trained, `name` this run of it; with `join` the run starts from what others have.
    """

    def __init__(self, model: torch.nn.Module, training: str, name: str, *, join: bool) -> None:
        self.model, self.folder, self.name = model, FOLDER / training, name
        self.round, self.steps = self._now(), 0
        self.folder.mkdir(parents=True, exist_ok=True)
        if join:
            self._join()

    def step(self) -> None:
        """Count one step; at the end of a round put the average in place of the weights."""
        self.steps += 1
        if (now := self._now()) > self.round:
            self.round = now
            self._meet()

    def _now(self) -> int:
        return int(time.time() / ROUND)

    def _others(self, *, newer: float) -> list[Path]:
        own = self.folder / f"{self.name}.pt"
        return [p for p in self.folder.glob("*.pt") if p != own and p.stat().st_mtime > newer]

    def _read(self, path: Path) -> dict:
        return torch.load(path, weights_only=True)

    def _join(self) -> None:
        others = self._others(newer=time.time() - 3 * ROUND)
        if not others:
            raise SystemExit(f"nothing trains {self.folder.name} that this could join")
        self.model.load_state_dict(self._read(others[0])["weights"])

    def _meet(self) -> None:
        own = {"round": self.round, "steps": self.steps, "weights": self.model.state_dict()}
        beside = self.folder / f"{self.name}.new"
        torch.save(own, beside)
        os.replace(beside, self.folder / f"{self.name}.pt")
        expected, until = self._others(newer=time.time() - 2.5 * ROUND), time.monotonic() + PATIENCE
        met = [own]
        for path in expected:
            while (other := self._read(path))["round"] < self.round and time.monotonic() < until:
                time.sleep(0.25)
            if other["round"] == self.round:
                met.append(other)
        total, self.steps = sum(one["steps"] for one in met), 0
        if len(met) > 1:
            weights = {
                key: sum(one["weights"][key] * (one["steps"] / total) for one in met)
                for key in own["weights"]
            }
            self.model.load_state_dict(weights)
