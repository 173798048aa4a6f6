"""Who is in an engine with whom: most jobs among others, last chances alone, nobody while it is closed."""

import asyncio
from collections import deque
from dataclasses import dataclass, field


@dataclass(slots=True)
class _Waiting:
    job_id: str
    alone: bool
    turn: "asyncio.Future[bool]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Company:
    """Jobs come in in the order in which they ask. One that wants to be alone waits until the others have
    left, and whoever asks after it waits too, so that it is not kept waiting for ever."""

    def __init__(self) -> None:
        self._inside: set[str] = set()
        self._line: deque[_Waiting] = deque()
        self._alone = False
        self._closed = False
        self._nobody = asyncio.Event()
        self._nobody.set()

    @property
    def is_open(self) -> bool:
        """Whether whoever asks now may come in at once, if it does not mind company."""
        return not (self._closed or self._alone or self._line)

    @property
    def is_empty(self) -> bool:
        return not self._inside

    async def enter(self, job_id: str, *, alone: bool = False) -> bool:
        """In its turn. False if the job gave up before."""
        waiting = _Waiting(job_id, alone)
        self._line.append(waiting)
        self._proceed()
        try:
            return await waiting.turn
        except asyncio.CancelledError:
            self.leave(job_id)  # if its turn had come just before
            raise

    def give_up(self, job_id: str) -> None:
        """The job no longer waits; it stays if it is inside."""
        for waiting in self._line:
            if waiting.job_id == job_id and not waiting.turn.done():
                waiting.turn.set_result(False)
        self._proceed()

    def leave(self, job_id: str) -> None:
        """The job is no longer inside. Idempotent."""
        self._inside.discard(job_id)
        self._proceed()

    def close(self) -> None:
        """Nobody comes in any more until `open`; who is inside may stay."""
        self._closed = True

    def open(self) -> None:
        """Nobody is inside, and whoever waits may come in."""
        self._closed = False
        self._inside.clear()
        self._proceed()

    async def until_empty(self) -> None:
        await self._nobody.wait()

    def _proceed(self) -> None:
        self._alone = self._alone and bool(self._inside)
        while self._line and not self._closed and not self._alone:
            first = self._line[0]
            if not first.turn.done():
                if first.alone and self._inside:
                    break
                self._inside.add(first.job_id)
                self._alone = first.alone
                first.turn.set_result(True)
            self._line.popleft()
        if self._inside:
            self._nobody.clear()
        else:
            self._nobody.set()
