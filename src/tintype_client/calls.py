"""The calls of the protocol, as steps. The one place that knows paths and bodies."""

import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import msgspec

from tintype_client.answers import read
from tintype_client.credentials import Credentials
from tintype_client.errors import Refused, ServerFault
from tintype_client.exchange import Answer, Send, Steps, send
from tintype_client.files import Body, File, Folder, body_of, multipart
from tintype_client.models import Model
from tintype_client.retry import retrying
from tintype_client.tasks import Output, Page, Quote, Task, TaskName, Ticket

T = TypeVar("T")

SYNC_PATIENCE = 330.0
"""Seconds to wait for the answer of a Run that waits; the server's own are 300 unless its settings differ."""

UPLOAD_PATIENCE = 300.0
"""Seconds to wait for the server to have kept a file."""


class Calls:
    """Everything a project may ask of one server."""

    def __init__(self, *, base_url: str, credentials: Credentials) -> None:
        self._base_url = base_url.rstrip("/")
        self._credentials = credentials

    @property
    def socket_url(self) -> str:
        """Where the WebSocket is: on the server's own address, encrypted if that is."""
        scheme, separator, rest = self._base_url.partition("://")
        return f"{'wss' if scheme.lower() == 'https' else 'ws'}{separator}{rest}/v1"

    def call(
        self, path: str, body: Mapping[str, Any], *, patience: float | None = None
    ) -> Steps[dict[str, Any]]:
        """Any call of the protocol, with its answer as it came. It may be sent more than once."""
        return self._post(path, body, dict[str, Any], patience=patience)

    def run(
        self, model: str, inputs: Mapping[str, Any], *, idempotency_key: str | None = None
    ) -> Steps[Ticket]:
        """Starts a task, exactly once even if the connection breaks: the call carries an Idempotency-Key."""
        headers = {"idempotency-key": idempotency_key or str(uuid.uuid4())}
        return self._post(run_path(model), inputs, Ticket, headers=headers)

    def run_sync(
        self, model: str, inputs: Mapping[str, Any], *, idempotency_key: str | None = None
    ) -> Steps[Task]:
        """The same, with the task as the answer: at its end, or as it is when the server waits no longer."""
        headers = {"idempotency-key": idempotency_key or str(uuid.uuid4())}
        path = f"{run_path(model)}/sync"
        page = yield from self._post(path, inputs, _Tasks, headers=headers, patience=SYNC_PATIENCE)
        return page.tasklist[0]

    def upload(
        self, file: Any, *, name: str | None = None, folder: Folder | str | None = None
    ) -> Steps[File]:
        """Keeps a file. If the connection breaks it may be kept twice."""
        file = Path(file) if isinstance(file, str) else file
        place = folder.id if isinstance(folder, Folder) else folder
        body = multipart(iter((("folderid", place), ("file", file))), name=name)
        answer = yield from self._send("/v1/File/Upload", body, _Files, patience=UPLOAD_PATIENCE)
        return answer.list[0]

    def create_folder(self, name: str, *, parent: Folder | str | None = None) -> Steps[Folder]:
        """The folder of that name, made if missing."""
        place = parent.id if isinstance(parent, Folder) else parent
        answer = yield from self._post("/v1/File/FolderCreate", {"name": name, "parentid": place}, _Folders)
        return answer.list[0]

    def quote(self, model: str, inputs: Mapping[str, Any]) -> Steps[Quote]:
        """What `run` with the same inputs is expected to take and to cost; nothing is run."""
        answer = yield from self._post(f"{run_path(model)}?quote=1", inputs, _Quoted)
        return answer.quote

    def model(self, name: str) -> Steps[Model]:
        """A model's page."""
        owner, _, project = name.partition("/")
        body = {"slugowner": owner, "slugproject": project}
        answer = yield from self._post("/v1/Tool/Detail", body, _Models)
        return answer.tool[0]

    def models(self, *, search: str = "") -> Steps[tuple[Model, ...]]:
        """The first hundred models that fit, without their inputs."""
        body = {"search": search, "limit": "100", "summary": True}
        answer = yield from self._post("/v1/Tool/List", body, _Models)
        return answer.tool

    def task(self, name: TaskName) -> Steps[Task]:
        """The task as it is now."""
        return self._one("/v1/Task/Detail", name)

    def cancel(self, name: TaskName) -> Steps[Task]:
        """Ends a queued task. Refused once it has left the queue."""
        return self._one("/v1/Task/Cancel", name)

    def kill(self, name: TaskName) -> Steps[Task]:
        """Ends a task in any state but a terminal one."""
        return self._one("/v1/Task/Kill", name)

    def list(
        self, *, start: int = 0, limit: int = 20, model: str = "", ascending: bool = False
    ) -> Steps[Page]:
        """The project's tasks, newest first unless `ascending`."""
        body = {
            "start": str(start),
            "limit": str(limit),
            "modelName": model,
            "order": "ASC" if ascending else "DESC",
        }
        return self._post("/v1/Task/List", body, Page)

    def delete_files(self, name: TaskName) -> Steps[None]:
        """Deletes the pictures of a terminal task for good."""
        yield from self._post("/v1/Task/InputOutputDelete", named(name), msgspec.Raw)

    def download(self, output: Output | str) -> Steps[bytes]:
        """A picture's bytes. No credentials are sent: the address is the authority."""
        url = output if isinstance(output, str) else output.url

        def fetch() -> Steps[bytes]:
            answer = yield from send(Send(method="GET", url=url))
            if answer.status == 200:
                return answer.body
            return _no_file(answer)

        return retrying(fetch)

    def _one(self, path: str, name: TaskName) -> Steps[Task]:
        page = yield from self._post(path, named(name), _Tasks)
        return page.tasklist[0]

    def _post(
        self,
        path: str,
        body: Mapping[str, Any],
        kind: type[T],
        *,
        headers: Mapping[str, str] | None = None,
        patience: float | None = None,
    ) -> Steps[T]:
        return self._send(path, body_of(body), kind, headers=headers, patience=patience)

    def _send(
        self,
        path: str,
        body: Body,
        kind: type[T],
        *,
        headers: Mapping[str, str] | None = None,
        patience: float | None = None,
    ) -> Steps[T]:
        request = Send(
            method="POST",
            url=self._base_url + path,
            headers={"content-type": body.content_type, **(headers or {})},
            body=body.content,
            patience=patience,
        )

        def call() -> Steps[T]:
            answer = yield from send(self._credentials.signed(request))
            return read(answer, kind)

        return retrying(call)


class _Quoted(msgspec.Struct, frozen=True):
    """The part of a quote's answer that counts."""

    quote: Quote


class _Files(msgspec.Struct, frozen=True):
    """The part of an Upload's answer that counts."""

    list: tuple[File, ...]


class _Folders(msgspec.Struct, frozen=True):
    """The part of a FolderCreate's answer that counts."""

    list: tuple[Folder, ...]


class _Models(msgspec.Struct, frozen=True):
    """The part of a Tool answer that counts."""

    tool: tuple[Model, ...]


class _Tasks(msgspec.Struct, frozen=True):
    """The part of a Detail, Cancel or Kill answer that counts."""

    tasklist: tuple[Task, ...]


def run_path(model: str) -> str:
    """Where `owner/model` is run."""
    owner, _, name = model.partition("/")
    return f"/v1/Run/{quote(owner, safe='')}/{quote(name, safe='')}"


def named(name: TaskName) -> dict[str, str]:
    """The body that names a task. Digits are an id, anything else is a token."""
    if isinstance(name, str):
        return {"taskid" if name.isdigit() else "tasktoken": name}
    return {"tasktoken": name.token}


def _no_file(answer: Answer) -> bytes:
    if answer.status >= 500:
        raise ServerFault(f"no picture came (HTTP {answer.status})", http_status=answer.status)
    read(answer, msgspec.Raw)
    raise Refused((), http_status=answer.status)
