"""The tasks that this process follows for its sockets: one subscription each, however many sockets listen.

What the bus loses is found in the store: a task that has been quiet for a while is looked up. Of an end the
bus only gives notice; it is told from the store, so that whoever hears of it will find it there.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from typing import NamedTuple

import msgspec
import structlog

from tintype.api.announcing import Announcing
from tintype.api.frames import Frame, Inbox, event_frame, state_frame
from tintype.bus.protocol import task_subject
from tintype.domain.errors import UnknownTask
from tintype.domain.events import TaskEvent, is_same_state
from tintype.domain.lifecycle import Status
from tintype.domain.task import Task
from tintype.service import Service
from tintype.storage import tasks

HELD = 128
"""Frames kept of each task for those who come back: more than a task of 50 steps has."""
LINGER, SHORT_LINGER = 60.0, 5.0
"""Seconds for which a task is followed, or its end kept, though nobody listens."""
MOST = 1000
"""Tasks beyond which they linger shortly."""
SHORTEST_QUIET, LONGEST_QUIET = 2.0, 10.0
"""Seconds without news after which the store is asked, at first and in the long run."""
LOOKS_AT_ONCE = 2
BUS_PATIENCE = 0.5
"""Seconds for which the current state waits for the subscription, lest an event fall between the two."""
PATIENCE = 5.0
"""Seconds for which a failing store is asked again on behalf of a client."""

log = structlog.get_logger(__name__)


class Wishes(NamedTuple):
    """How somebody listens."""

    previews: bool
    heard: int
    """The last sequence number of the present state that was heard elsewhere, if any was: what is not above
    it is not told, so that numbers never step back."""


class Followed:
    """One task: its newest frames, and who listens. `on_onlooker` is told when one comes to see it drawn."""

    def __init__(self, task: Task, held: Iterable[Frame], *, on_onlooker: Callable[[int], None]) -> None:
        self.task_id = task.id
        self.token = task.token
        self.held = deque(held, maxlen=HELD)
        self.is_heard = asyncio.Event()
        """Set once no event can be missed any more."""
        self._on_onlooker = on_onlooker
        self._inboxes: dict[Inbox, Wishes] = {}
        """Who listens."""
        self._seen = time.monotonic()

    @property
    def is_over(self) -> bool:
        """Whether the end has been told."""
        return self.held[-1].terminal

    def is_wanted(self, *, linger: float) -> bool:
        """Whether somebody listens, or was here within the last `linger` seconds."""
        return bool(self._inboxes) or time.monotonic() - self._seen < linger

    @property
    def is_looked_at(self) -> bool:
        """Whether somebody listens who would like to see the task being drawn."""
        return not self.is_over and any(wishes.previews for wishes in self._inboxes.values())

    def tell(self, frame: Frame) -> None:
        """Passes a frame on, unless it is old. Of the previews only the newest is held."""
        if frame.sequence > self.held[-1].sequence:
            if frame.plain:
                self.held = deque((held.without_preview() for held in self.held), maxlen=HELD)
            self.held.append(frame)
            for inbox, wishes in self._inboxes.items():
                if frame.sequence > wishes.heard:
                    inbox.put(frame if wishes.previews else frame.without_preview())

    def join(self, inbox: Inbox, *, last_sequence: int | None, previews: bool = True) -> None:
        """Tells the inbox the current state, or what it has missed since `last_sequence`; then what comes."""
        missed, heard = [], 0
        state = self.held[-1]
        if last_sequence is not None:
            inbox.take_back(self.task_id)
            missed = [frame for frame in self.held if frame.sequence > last_sequence]
            if is_same_state(state.sequence, last_sequence) and not state.terminal:
                heard = last_sequence
                state = state.numbered(heard)
        for frame in missed or [state]:
            inbox.put(frame if previews else frame.without_preview())
        self._inboxes[inbox] = Wishes(previews=previews, heard=heard)
        if self.is_looked_at:
            self._on_onlooker(self.task_id)

    def leave(self, inbox: Inbox) -> None:
        self._inboxes.pop(inbox, None)
        self._seen = time.monotonic()


class Following:
    """Finds tasks by token, and follows those that have not ended while `running` lasts."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self.stopping = asyncio.Event()
        """Set when those who wait should wait no longer, since the process is about to end."""
        self._followed: dict[str, Followed] = {}
        self._announcing = Announcing(service.bus, watched=self._looked_at)
        self._looks = asyncio.Semaphore(LOOKS_AT_ONCE)
        self._followers: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The life of everything that is followed."""
        announcing = asyncio.create_task(self._announcing.run())
        self._followers.add(announcing)
        try:
            yield
        finally:
            for follower in self._followers:
                follower.cancel()
            await asyncio.gather(*self._followers, return_exceptions=True)

    async def find(self, token: str) -> Followed:
        """The task of a token, with its current state held. Raises UnknownTask."""
        task = await self._read_with_patience(token)
        known = self._followed.get(token)
        if known is not None and not task.status.is_terminal:
            return known
        held = [frame for frame in known.held if not frame.terminal] if known else []
        found = Followed(task, [*held, state_frame(task, self._service)], on_onlooker=self._announcing.add)
        if not task.status.is_terminal:
            self._followed[token] = found
            self._begin(found)
            with suppress(TimeoutError):
                async with asyncio.timeout(BUS_PATIENCE):
                    await found.is_heard.wait()
        return found

    def _begin(self, followed: Followed) -> None:
        follower = asyncio.create_task(self._follow(followed))
        self._followers.add(follower)
        follower.add_done_callback(self._followers.discard)

    async def _follow(self, followed: Followed) -> None:
        """Hears of the task to its end, or until nobody wants to know any more."""
        try:
            while not followed.is_over and self._is_wanted(followed):
                try:
                    async with self._service.bus.subscribe(task_subject(followed.task_id)) as events:
                        await self._hear(followed, events)
                except Exception:
                    log.exception("following_failed", task=followed.task_id)
                    await asyncio.sleep(SHORTEST_QUIET)
            if followed.is_over:
                await asyncio.sleep(self._linger)
        finally:
            del self._followed[followed.token]

    async def _hear(self, followed: Followed, events: AsyncIterator[bytes]) -> None:
        """Listens; and looks, at first, after an end, and when it has been quiet for too long."""
        quiet = SHORTEST_QUIET
        await self._look(followed)
        followed.is_heard.set()
        while not followed.is_over and self._is_wanted(followed):
            try:
                async with asyncio.timeout(quiet):
                    payload = await anext(events)
            except TimeoutError:
                quiet = min(1.5 * quiet, LONGEST_QUIET)
                await self._look(followed)
                continue
            quiet = SHORTEST_QUIET
            event = msgspec.msgpack.decode(payload, type=TaskEvent)
            if event.terminal:
                await self._look(followed)
            else:
                followed.tell(event_frame(event))

    async def _look(self, followed: Followed) -> None:
        """Tells what the store says, if that is news."""
        try:
            async with self._looks:
                task = await self._read(followed.token)
        except Exception as problem:
            log.debug("look_failed", task=followed.task_id, problem=type(problem).__name__)
            return
        if not (task.status is Status.OUTPUT and followed.held[-1].type == Status.OUTPUT):
            followed.tell(state_frame(task, self._service))  # of an output, the steps told say more

    def _looked_at(self) -> list[int]:
        return [followed.task_id for followed in self._followed.values() if followed.is_looked_at]

    def _is_wanted(self, followed: Followed) -> bool:
        return followed.is_wanted(linger=self._linger)

    @property
    def _linger(self) -> float:
        return LINGER if len(self._followed) <= MOST else SHORT_LINGER

    async def _read(self, token: str) -> Task:
        return await self._service.database.read(lambda connection: tasks.find_by_token(connection, token))

    async def _read_with_patience(self, token: str) -> Task:
        """The task. Raises UnknownTask at once, and what the store raises after a while."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return await self._read(token)
            except UnknownTask:
                raise
            except Exception:
                if time.monotonic() > deadline:
                    raise
            await asyncio.sleep(0.5)
