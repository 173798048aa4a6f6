"""The task endpoints: read, list, cancel, kill, delete files."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tintype.api.answers import LARGEST_ANSWER, answering, success
from tintype.api.auth import Authenticator
from tintype.api.bodies import BodyReader
from tintype.api.scalars import count, text
from tintype.domain.errors import TaskNotNamed
from tintype.domain.project import Project
from tintype.domain.task import Task, TaskName, name_task
from tintype.domain.task_object import envelope
from tintype.service import Service

ENVELOPE = 1024
"""More bytes than an answer has around its tasks."""
LARGEST_STORED = 6 * LARGEST_ANSWER
"""More bytes than the tasks of an answer have in store: inputs repeat parameters, and stored text takes up
to three times its UTF-8."""


class Tasks:
    """Answers `/v1/Task/…`."""

    def __init__(self, service: Service, *, authenticator: Authenticator, bodies: BodyReader) -> None:
        self._service = service
        self._authenticator = authenticator
        self._bodies = bodies

    def routes(self) -> list[Route]:
        """Detail first: callers poll it."""
        endpoints = {
            "Detail": self.detail,
            "List": self.list_tasks,
            "Cancel": self.cancel,
            "Kill": self.kill,
            "InputOutputDelete": self.delete_files,
        }
        return [
            Route(f"/v1/Task/{name}", answering(endpoint, total="0", tasklist=[]), methods=["POST"])
            for name, endpoint in endpoints.items()
        ]

    async def detail(self, request: Request) -> Response:
        """One task as it stands."""
        return await self._one(request, self._service.read)

    async def cancel(self, request: Request) -> Response:
        """Ends a task that waits in the queue."""
        return await self._one(request, self._service.cancel)

    async def kill(self, request: Request) -> Response:
        """Ends a task in any status that is not terminal."""
        return await self._one(request, self._service.kill)

    async def list_tasks(self, request: Request) -> Response:
        """One page of the project's tasks."""
        project, parameters = await self._asked(request)
        total, tasks = await self._service.list_tasks(
            project,
            start=count(parameters, "start", default=0, low=0),
            limit=count(parameters, "limit", default=20, low=1, high=100),
            ascending=text(parameters, "order").upper() == "ASC",
            model_part=text(parameters, "modelName").strip(),
            largest=LARGEST_STORED,
        )
        return success(envelope(total, self._fitting(tasks)))

    async def delete_files(self, request: Request) -> Response:
        """Deletes the files of a terminal task."""
        project, parameters = await self._asked(request)
        await self._service.delete_files(project, named(parameters))
        return success({"result": True, "errors": []})

    async def _one(self, request: Request, use: Callable[[Project, TaskName], Awaitable[Task]]) -> Response:
        project, parameters = await self._asked(request)
        task = await use(project, named(parameters))
        return success(envelope(1, [self._service.show(task)]))

    async def _asked(self, request: Request) -> tuple[Project, Mapping[str, Any]]:
        project = await self._authenticator.project(request)
        return project, await self._bodies.parameters(request)

    def _fitting(self, tasks: list[Task]) -> list[msgspec.Raw]:
        """As many of the tasks, from the first on, as one answer can carry."""
        fitting: list[msgspec.Raw] = []
        room = LARGEST_ANSWER - ENVELOPE
        for task in tasks:
            shown = msgspec.json.encode(self._service.show(task))
            room -= len(shown) + 1
            if room < 0:
                break
            fitting.append(msgspec.Raw(shown))
        return fitting


def named(parameters: Mapping[str, Any]) -> TaskName:
    """The task that a request means, by any alias. Raises TaskNotNamed, MalformedRequest."""
    name = name_task(
        task_id=text(parameters, "taskid").strip(),
        token=text(parameters, "tasktoken").strip() or text(parameters, "socketaccesstoken").strip(),
    )
    if name is None:
        raise TaskNotNamed
    return name
