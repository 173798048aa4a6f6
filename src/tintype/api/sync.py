"""Run that waits: a Run, and then the task when it has ended, or its frames as they come.

Whoever asks for `text/event-stream` gets the frames of the WebSocket as server-sent events; everybody else
gets what Task/Detail says at the end.
"""

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tintype.api.answers import Handler, answering, success
from tintype.api.event_stream import (
    EventStream,
    departure,
    first_of,
    last_event_id,
    wants_events,
)
from tintype.api.following import Followed, Following
from tintype.api.frames import Inbox
from tintype.api.rates import telling_rates
from tintype.domain.task_object import envelope
from tintype.service import Service
from tintype.storage import tasks

LONGEST = 300.0
"""Seconds after which a task that has not ended is told as it is."""


class Accepted(msgspec.Struct, frozen=True):
    """The part of an answer to Run that counts; the token is missing unless a task was accepted."""

    socketaccesstoken: str = ""


class Sync:
    """Answers `/v1/Run/{owner}/{model}/sync`. `run` is the handler of Run, `longest` is in seconds."""

    def __init__(
        self, service: Service, *, run: Handler, following: Following, longest: float = LONGEST
    ) -> None:
        self._service = service
        self._run = run
        self._following = following
        self._longest = longest

    def routes(self) -> list[Route]:
        """One, of three segments after `Run`, so that it is never taken for a model."""
        return [Route("/v1/Run/{owner}/{model}/sync", telling_rates(answering(self.run)), methods=["POST"])]

    async def run(self, request: Request) -> Response:
        """Accepts a task as Run does, or refuses it as Run does; then waits. Whoever leaves stops nothing."""
        answer = await self._run(request)
        token = msgspec.json.decode(answer.body, type=Accepted).socketaccesstoken
        if not token:
            return answer
        followed = await self._following.find(token)
        if wants_events(request):
            return EventStream(
                followed,
                last_sequence=last_event_id(request),
                longest=self._longest,
                stopping=self._following.stopping,
            )
        await self._wait(request, followed)
        task = await self._service.database.read(lambda connection: tasks.find_by_token(connection, token))
        return success(envelope(1, [self._service.show(task)]))

    async def _wait(self, request: Request, followed: Followed) -> None:
        """Until the task has ended, the caller has left, the time is up, or the process stops."""
        inbox = Inbox()
        followed.join(inbox, last_sequence=None, previews=False)
        try:
            await first_of(
                _end(inbox), departure(request.receive), self._following.stopping.wait(), within=self._longest
            )
        finally:
            followed.leave(inbox)


async def _end(inbox: Inbox) -> None:
    while not (await inbox.next()).terminal:
        pass
