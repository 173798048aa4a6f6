"""Which tasks somebody follows, as far as this worker has heard: those are shown while they are drawn."""

import time

from tintype.bus.protocol import WATCHED_FOR


class Audience:
    """Forgets a task when nobody has asked for it for `WATCHED_FOR` seconds."""

    def __init__(self) -> None:
        self._until: dict[int, float] = {}
        self._swept = 0.0

    def hear(self, payload: bytes) -> frozenset[int]:
        """The tasks that a payload of the subject `WATCH` asks for."""
        now = time.monotonic()
        asked = frozenset(int(task_id) for task_id in payload.split() if task_id.isdigit())
        if now - self._swept > WATCHED_FOR:
            self._swept = now
            self._until = {task_id: until for task_id, until in self._until.items() if until > now}
        self._until |= dict.fromkeys(asked, now + WATCHED_FOR)
        return asked

    def stays(self, task_id: int) -> float:
        """Seconds for which somebody will still want to see the task; 0 if nobody does."""
        return max(0.0, self._until.get(task_id, 0.0) - time.monotonic())
