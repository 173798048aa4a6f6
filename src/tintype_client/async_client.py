"""The client for asyncio."""

import asyncio
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

import httpx2

from tintype_client.calls import Calls
from tintype_client.client import TIMEOUT, answer_of, timeout, unreachable
from tintype_client.credentials import Credentials
from tintype_client.errors import Unreachable
from tintype_client.exchange import Answer, Hear, Open, Pause, Result, Send, Step, Steps, T
from tintype_client.files import File, Folder, Source
from tintype_client.lines import AsyncLine
from tintype_client.models import Model
from tintype_client.tasks import Output, Page, Quote, Task, TaskName, Ticket
from tintype_client.waiting import OnProgress, draw, follow


class AsyncClient:
    """`Client`, awaited."""

    def __init__(
        self, base_url: str, key: str, secret: str | None = None, *, sign_requests: bool = False
    ) -> None:
        credentials = Credentials(key=key, secret=secret, sign_requests=sign_requests)
        self._calls = Calls(base_url=base_url, credentials=credentials)
        self._http = httpx2.AsyncClient(timeout=TIMEOUT)

    async def run(self, model: str, /, *, idempotency_key: str | None = None, **inputs: Any) -> Ticket:
        """Starts a task of `owner/model` and returns its names at once.

        An input of files is a path, bytes, an open file, a `File` of `upload`, a URL, or a list of these.
        """
        return await self._perform(self._calls.run(model, inputs, idempotency_key=idempotency_key))

    async def draw(self, model: str, /, *, idempotency_key: str | None = None, **inputs: Any) -> Task:
        """Runs a task of `owner/model` and returns it when it has ended, in whatever way: run and wait."""
        return await self._perform(draw(self._calls, model, inputs, idempotency_key=idempotency_key))

    async def quote(self, model: str, /, **inputs: Any) -> Quote:
        """What `run` with the same inputs is expected to take and to cost; nothing is run."""
        return await self._perform(self._calls.quote(model, inputs))

    async def upload(
        self, file: "Source | str", *, name: str | None = None, folder: Folder | str | None = None
    ) -> File:
        """Keeps a file on the server: a path, bytes or an open file. What is returned can be an input."""
        return await self._perform(self._calls.upload(file, name=name, folder=folder))

    async def create_folder(self, name: str, *, parent: Folder | str | None = None) -> Folder:
        """A folder for uploads, made if missing."""
        return await self._perform(self._calls.create_folder(name, parent=parent))

    async def model(self, name: str) -> Model:
        """The page of `owner/model`: its texts and inputs."""
        return await self._perform(self._calls.model(name))

    async def models(self, *, search: str = "") -> tuple[Model, ...]:
        """The first hundred models that fit, without their inputs."""
        return await self._perform(self._calls.models(search=search))

    async def task(self, name: TaskName) -> Task:
        """The task as it is now."""
        return await self._perform(self._calls.task(name))

    async def wait(
        self,
        name: TaskName,
        on_progress: OnProgress | None = None,
        *,
        within: float | None = None,
        previews: bool = False,
    ) -> Task:
        """The task when it has ended, in whatever way. Raises NotFinished after `within` seconds."""
        steps = follow(self._calls, name, on_progress=on_progress, within=within, previews=previews)
        return await self._perform(steps)

    async def cancel(self, name: TaskName) -> Task:
        """Ends a queued task. Refused once it has left the queue."""
        return await self._perform(self._calls.cancel(name))

    async def kill(self, name: TaskName) -> Task:
        """Ends a task that has not ended."""
        return await self._perform(self._calls.kill(name))

    async def list(
        self, *, start: int = 0, limit: int = 20, model: str = "", ascending: bool = False
    ) -> Page:
        """The project's tasks, newest first unless `ascending`; `model` is a part of the model's name."""
        steps = self._calls.list(start=start, limit=limit, model=model, ascending=ascending)
        return await self._perform(steps)

    async def delete_files(self, name: TaskName) -> None:
        """Deletes the pictures of a terminal task for good."""
        await self._perform(self._calls.delete_files(name))

    async def download(self, output: Output | str) -> bytes:
        """A picture's bytes."""
        return await self._perform(self._calls.download(output))

    async def call(
        self, path: str, body: Mapping[str, Any], *, patience: float | None = None
    ) -> dict[str, Any]:
        """The answer, as it came, to any call, such as `call("/v1/Task/Detail", {"taskid": "7"})`.

        It is tried again when the connection breaks, so it may arrive twice. `patience` is in seconds.
        """
        return await self._perform(self._calls.call(path, body, patience=patience))

    async def close(self) -> None:
        """Gives the connections back. Also done on leaving `async with AsyncClient(…)`."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _perform(self, steps: Steps[T]) -> T:
        line = AsyncLine()
        try:
            step = next(steps)
            while True:
                try:
                    result = await self._carry_out(step, line)
                except Unreachable as problem:
                    step = steps.throw(problem)
                else:
                    step = steps.send(result)
        except StopIteration as end:
            outcome: T = end.value
            return outcome
        finally:
            await line.close()

    async def _carry_out(self, step: Step, line: AsyncLine) -> Result:
        """Raises Unreachable."""
        match step:
            case Send():
                return await self._exchange(step)
            case Hear(seconds):
                return await line.hear(seconds)
            case Open():
                await line.open(step)
            case Pause(seconds):
                await asyncio.sleep(seconds)
        return None

    async def _exchange(self, request: Send) -> Answer:
        try:
            response = await self._http.request(
                request.method,
                request.url,
                headers=dict(request.headers),
                content=request.body,
                timeout=timeout(request),
            )
        except (httpx2.TransportError, httpx2.InvalidURL) as problem:
            raise Unreachable(unreachable(request, problem)) from problem
        return answer_of(response)
