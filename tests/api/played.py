"""A task whose worker is the test."""

import asyncio
from typing import Any

from api.wire import Wire
from tintype.domain.lifecycle import Status
from tintype.domain.task import FAILURE, Outcome
from tintype.engine.protocol import Progress
from tintype.service import now
from tintype.storage import tasks
from tintype.worker.story import Story, tell_handed_back


class Played:
    """A task in the hands of a test, which stores its stages and tells of them as a worker does."""

    def __init__(self, wire: Wire, ran: dict[str, Any] | None = None) -> None:
        self.wire = wire
        self.ran = ran or wire.run()
        self.token = self.ran["socketaccesstoken"]
        self._bus = wire.service.bus

    def claim(self) -> None:
        self.task = self.wire.claim(self.ran)
        self._story = Story(self._bus, self.task)
        self.wire.do(self._story.reached([self.task]))

    def reach(self, *stages: Status) -> None:
        for status in stages:
            self.task = self.wire.step(self.task, status)
            self.wire.do(self._story.reached([self.task]))

    def draw(self, step: int, preview: bytes | None = None) -> None:
        self.wire.do(self._draw(step, preview))

    def note(self) -> None:
        """Stores that it is still being drawn, as a worker does once a second."""
        self.task = self.wire.write(lambda c: tasks.note_progress(c, self.task.lease, now=now()))
        self.wire.do(self._story.reached([self.task]))

    def draw_in_a_hurry(self, *, times: int) -> None:
        """More steps than any socket can keep up with; at most 999 between two notes."""

        async def drawing() -> None:
            for number in range(times):
                await self._draw(number % 51)
                if number % 20 == 0:
                    await asyncio.sleep(0)

        self.wire.do(drawing())

    def fail(self, *, told: bool = True) -> None:
        outcome = Outcome(exit_code=FAILURE, debug_error="The engine broke.")
        failed = self.wire.write(lambda c: tasks.finish(c, self.task.lease, outcome, now=now()))
        if told:
            self.wire.do(self._story.reached([failed]))

    def hand_back(self) -> None:
        queued = self.wire.write(lambda c: tasks.hand_back(c, self.task.lease, now=now(), lost=True))
        self.wire.do(tell_handed_back(self._bus, queued))

    async def _draw(self, step: int, preview: bytes | None = None) -> None:
        progress = Progress(id="job", step=step, steps=50, elapsed=step / 4, preview=preview)
        await self._story.progressed(progress)
