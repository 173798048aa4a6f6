"""The client for ordinary code."""

import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

import httpx2

from tintype_client.calls import Calls
from tintype_client.credentials import Credentials
from tintype_client.errors import Unreachable
from tintype_client.exchange import Answer, Hear, Open, Pause, Result, Send, Step, Steps, T
from tintype_client.files import File, Folder, Source
from tintype_client.lines import Line
from tintype_client.models import Model
from tintype_client.tasks import Output, Page, Quote, Task, TaskName, Ticket
from tintype_client.waiting import OnProgress, draw, follow

CONNECT_WITHIN = 5.0
TIMEOUT = httpx2.Timeout(30.0, connect=CONNECT_WITHIN)


class Client:
    """Talks to one server for one project.

    With `sign_requests` every request is signed as a whole (RFC 9421), for projects that accept or require
    that; `base_url` must then be the address that the server knows as its own.

    A call raises Refused (Unauthorized, TooManyRequests) when the server says no, Unreachable when no
    answer comes, and ServerFault when the answer makes no sense.
    """

    def __init__(
        self, base_url: str, key: str, secret: str | None = None, *, sign_requests: bool = False
    ) -> None:
        credentials = Credentials(key=key, secret=secret, sign_requests=sign_requests)
        self._calls = Calls(base_url=base_url, credentials=credentials)
        self._http = httpx2.Client(timeout=TIMEOUT)

    def run(self, model: str, /, *, idempotency_key: str | None = None, **inputs: Any) -> Ticket:
        """Starts a task of `owner/model` and returns its names at once.

        An input of files is a path, bytes, an open file, a `File` of `upload`, a URL, or a list of these.
        """
        return self._perform(self._calls.run(model, inputs, idempotency_key=idempotency_key))

    def draw(self, model: str, /, *, idempotency_key: str | None = None, **inputs: Any) -> Task:
        """Runs a task of `owner/model` and returns it when it has ended, in whatever way: run and wait."""
        return self._perform(draw(self._calls, model, inputs, idempotency_key=idempotency_key))

    def quote(self, model: str, /, **inputs: Any) -> Quote:
        """What `run` with the same inputs is expected to take and to cost; nothing is run."""
        return self._perform(self._calls.quote(model, inputs))

    def upload(
        self, file: "Source | str", *, name: str | None = None, folder: Folder | str | None = None
    ) -> File:
        """Keeps a file on the server: a path, bytes or an open file. What is returned can be an input."""
        return self._perform(self._calls.upload(file, name=name, folder=folder))

    def create_folder(self, name: str, *, parent: Folder | str | None = None) -> Folder:
        """A folder for uploads, made if missing."""
        return self._perform(self._calls.create_folder(name, parent=parent))

    def model(self, name: str) -> Model:
        """The page of `owner/model`: its texts and inputs."""
        return self._perform(self._calls.model(name))

    def models(self, *, search: str = "") -> tuple[Model, ...]:
        """The first hundred models that fit, without their inputs."""
        return self._perform(self._calls.models(search=search))

    def task(self, name: TaskName) -> Task:
        """The task as it is now."""
        return self._perform(self._calls.task(name))

    def wait(
        self,
        name: TaskName,
        on_progress: OnProgress | None = None,
        *,
        within: float | None = None,
        previews: bool = False,
    ) -> Task:
        """The task when it has ended, in whatever way: see `Task.succeeded` and `Task.output`.

        `on_progress` is told of all that happens until then; with `previews` it sees the picture form.
        Raises NotFinished after `within` seconds.
        """
        steps = follow(self._calls, name, on_progress=on_progress, within=within, previews=previews)
        return self._perform(steps)

    def cancel(self, name: TaskName) -> Task:
        """Ends a queued task. Refused once it has left the queue."""
        return self._perform(self._calls.cancel(name))

    def kill(self, name: TaskName) -> Task:
        """Ends a task that has not ended."""
        return self._perform(self._calls.kill(name))

    def list(self, *, start: int = 0, limit: int = 20, model: str = "", ascending: bool = False) -> Page:
        """The project's tasks, newest first unless `ascending`; `model` is a part of the model's name."""
        return self._perform(self._calls.list(start=start, limit=limit, model=model, ascending=ascending))

    def delete_files(self, name: TaskName) -> None:
        """Deletes the pictures of a terminal task for good."""
        self._perform(self._calls.delete_files(name))

    def download(self, output: Output | str) -> bytes:
        """A picture's bytes."""
        return self._perform(self._calls.download(output))

    def call(self, path: str, body: Mapping[str, Any], *, patience: float | None = None) -> dict[str, Any]:
        """The answer, as it came, to any call, such as `call("/v1/Task/Detail", {"taskid": "7"})`.

        It is tried again when the connection breaks, so it may arrive twice. `patience` is in seconds.
        """
        return self._perform(self._calls.call(path, body, patience=patience))

    def close(self) -> None:
        """Gives the connections back. Also done on leaving `with Client(…)`."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _perform(self, steps: Steps[T]) -> T:
        line = Line()
        try:
            step = next(steps)
            while True:
                try:
                    result = self._carry_out(step, line)
                except Unreachable as problem:
                    step = steps.throw(problem)
                else:
                    step = steps.send(result)
        except StopIteration as end:
            outcome: T = end.value
            return outcome
        finally:
            line.close()

    def _carry_out(self, step: Step, line: Line) -> Result:
        """Raises Unreachable."""
        match step:
            case Send():
                return self._exchange(step)
            case Hear(seconds):
                return line.hear(seconds)
            case Open():
                line.open(step)
            case Pause(seconds):
                time.sleep(seconds)
        return None

    def _exchange(self, request: Send) -> Answer:
        try:
            response = self._http.request(
                request.method,
                request.url,
                headers=dict(request.headers),
                content=request.body,
                timeout=timeout(request),
            )
        except (httpx2.TransportError, httpx2.InvalidURL) as problem:
            raise Unreachable(unreachable(request, problem)) from problem
        return answer_of(response)


def timeout(request: Send) -> httpx2.Timeout:
    """How long to wait for the answer."""
    return TIMEOUT if request.patience is None else httpx2.Timeout(request.patience, connect=CONNECT_WITHIN)


def answer_of(response: httpx2.Response) -> Answer:
    """The response, as far as it matters."""
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Answer(status=response.status_code, headers=headers, body=response.content)


def unreachable(request: Send, problem: Exception) -> str:
    """A sentence for people."""
    reason = str(problem) or type(problem).__name__
    return f"no answer from {request.url.split('/v1/')[0]}: {reason}"
