"""Every endpoint: what it takes, what it answers, and what it refuses. An endpoint that is not here fails a
test."""

from collections.abc import Mapping
from enum import Enum
from typing import Any

import msgspec

from tintype.api.openapi import examples, shapes
from tintype.domain import errors
from tintype.domain.errors import TintypeError

Errors = tuple[type[TintypeError], ...]
Shape = Any
"""A TypedDict of `shapes`."""

BODY: Errors = (errors.MalformedRequest, errors.RequestTooLarge)
WHO: Errors = (
    errors.MissingCredentials,
    errors.BadBearer,
    errors.ExpiredBearer,
    errors.UnknownKey,
    errors.SignatureRequired,
    errors.BadSignature,
    errors.AddressNotAllowed,
)
RUN_REFUSALS: Errors = (
    errors.UnknownModel,
    errors.ModelNotAccessible,
    errors.InvalidInputs,
    errors.FileRequired,
    errors.FileNotAccepted,
    errors.NotPermitted,
    errors.AccountSuspended,
    errors.ProjectSuspended,
    errors.IdempotencyConflict,
    errors.InsufficientBalance,
    errors.BalanceConcurrencyLimit,
    errors.ProjectConcurrencyLimit,
    errors.TooManyRequests,
)


class Authority(Enum):
    """What lets a caller in."""

    PROJECT = "a project's credentials"
    OPTIONAL = "nothing; credentials that are given must be right"
    NOBODY = "nothing"


class Input(msgspec.Struct, frozen=True, kw_only=True):
    """A header or a query parameter that a caller may send."""

    name: str
    place: str
    about: str
    schema: Mapping[str, Any] = msgspec.field(default_factory=lambda: {"type": "string"})


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One endpoint."""

    method: str
    path: str
    id: str
    tag: str
    summary: str
    about: str = ""
    authority: Authority = Authority.PROJECT
    body: Shape = None
    """None: there is none. Every form that bodies may have is read."""
    only_multipart: bool = False
    asked: tuple[Mapping[str, Any], ...] = ()
    """Sample bodies."""
    answers: tuple[Shape, ...] = ()
    """What the answer is if nothing is refused; empty if it is no JSON."""
    sample: str = ""
    """The example of an answer, by its name in `document.SAMPLES`."""
    other_answers: Mapping[str, str] = {}
    """Answers that are no JSON: media type to what it is. `text/event-stream` may stand beside JSON."""
    refusals: Errors = ()
    empty: Mapping[str, Any] = {}
    """The endpoint's own fields as they are in a refusal."""
    inputs: tuple[Input, ...] = ()

    @property
    def all_refusals(self) -> Errors:
        """With what every endpoint of its kind refuses."""
        who = () if self.authority is Authority.NOBODY else WHO
        return (*who, *(BODY if self.body else ()), *self.refusals)


TASK_ENVELOPE = {"total": "0", "tasklist": []}
IDEMPOTENCY_KEY = Input(
    name="Idempotency-Key",
    place="header",
    about="Joins repetitions of one Run within 24 hours to one task.",
)
QUOTE = Input(
    name="quote",
    place="query",
    about="1: nothing is run; the answer says what it would probably take and cost.",
    schema={"type": "string", "enum": ["0", "1"]},
)
LAST_EVENT_ID = Input(
    name="Last-Event-ID",
    place="header",
    about="With events and an Idempotency-Key: the id of the last event seen; what was missed comes first.",
)
RANGE = Input(name="Range", place="header", about="Which bytes, such as bytes=0-1023.")


def run(path: str = "/v1/Run/{owner}/{model}", **more: Any) -> Operation:
    """Run, of any model or of one."""
    return Operation(
        **{
            "method": "POST",
            "path": path,
            "id": "run",
            "tag": "Run",
            "summary": "Accept a task",
            "about": "The answer comes at once; the task is drawn as soon as its turn comes.",
            "body": shapes.RunAsked,
            "answers": (shapes.Accepted, shapes.Quoted),
            "sample": "accepted",
            "refusals": RUN_REFUSALS,
            "inputs": (IDEMPOTENCY_KEY, QUOTE),
            **more,
        }
    )


def run_sync(path: str = "/v1/Run/{owner}/{model}/sync", **more: Any) -> Operation:
    """Run that waits, of any model or of one."""
    return run(
        path,
        **{
            "id": "runSync",
            "summary": "Accept a task and answer when it has ended",
            "about": "After a while the answer is the unfinished task. Whoever leaves stops nothing. With "
            "`Accept: text/event-stream` the answer is a stream of the task's events.",
            "answers": (shapes.OneTask, shapes.Quoted),
            "sample": "task",
            "other_answers": {"text/event-stream": "One event for each frame of the WebSocket."},
            "inputs": (IDEMPOTENCY_KEY, QUOTE, LAST_EVENT_ID),
            **more,
        },
    )


def _task(name: str, summary: str, *refusals: type[TintypeError], **more: Any) -> Operation:
    fields = {
        "body": shapes.TaskNamed,
        "asked": (examples.BY_ID, examples.BY_TOKEN),
        "answers": (shapes.OneTask,),
        "sample": "task",
        "refusals": (errors.TaskNotNamed, errors.UnknownTask, *refusals),
        **more,
    }
    return Operation(
        method="POST",
        path=f"/v1/Task/{name}",
        id=f"task{name}",
        tag="Tasks",
        summary=summary,
        empty=TASK_ENVELOPE,
        **fields,
    )


def _tool(name: str, summary: str, **fields: Any) -> Operation:
    return Operation(
        method="POST",
        path=f"/v1/Tool/{name}",
        id=f"tool{name}",
        tag="Models",
        summary=summary,
        authority=Authority.OPTIONAL,
        **fields,
    )


def _get(path: str, name: str, tag: str, summary: str, **fields: Any) -> Operation:
    return Operation(
        method="GET", path=path, id=name, tag=tag, summary=summary, authority=Authority.NOBODY, **fields
    )


OPERATIONS: tuple[Operation, ...] = (
    run(asked=(examples.RUN,)),
    run_sync(asked=(examples.RUN,)),
    _task("Detail", "Read a task"),
    _task(
        "List",
        "Page through the project's tasks",
        body=shapes.TaskListAsked,
        asked=(examples.LIST,),
        answers=(shapes.Tasks,),
        refusals=(),
    ),
    _task("Cancel", "End a task that is still queued", errors.NotCancellable),
    _task("Kill", "End a task that has not ended", errors.NotKillable),
    _task(
        "InputOutputDelete",
        "Delete the files of an ended task",
        answers=(shapes.Done,),
        sample="",
        refusals=(errors.TaskNotNamed, errors.UnknownTaskOfFiles, errors.TaskNotTerminal),
    ),
    _tool(
        "List",
        "Find models",
        body=shapes.ToolListAsked,
        asked=(examples.SEARCH,),
        answers=(shapes.Tools,),
        empty={"total": 0, "tool": []},
    ),
    _tool(
        "Detail",
        "Read a model's page",
        body=shapes.ToolNamed,
        asked=(examples.PAGE,),
        answers=(shapes.OneTool,),
        refusals=(errors.UnknownModel, errors.ModelNotAccessible),
        empty={"tool": []},
    ),
    _tool(
        "Explore",
        "See all models by category",
        body=shapes.ToolsExplored,
        asked=({},),
        answers=(shapes.Explored,),
        empty={"explore": []},
    ),
    Operation(
        method="POST",
        path="/v1/File/Upload",
        id="fileUpload",
        tag="Files",
        summary="Keep a file",
        about="Its URL may be given to Runs. What it is, its bytes say.",
        body=shapes.UploadSent,
        only_multipart=True,
        answers=(shapes.Uploaded,),
        refusals=(
            errors.FileRequired,
            errors.FileNotAccepted,
            errors.InvalidInputs,
            errors.UploadLimit,
            errors.NotPermitted,
            errors.AccountSuspended,
            errors.ProjectSuspended,
            errors.TooManyRequests,
        ),
        empty={"list": []},
    ),
    Operation(
        method="POST",
        path="/v1/File/FolderCreate",
        id="fileFolderCreate",
        tag="Files",
        summary="Make a folder for uploads, or find it",
        body=shapes.FolderAsked,
        asked=({"name": "sketches"},),
        answers=(shapes.FolderMade,),
        refusals=(
            errors.InvalidInputs,
            errors.FolderLimit,
            errors.NotPermitted,
            errors.AccountSuspended,
            errors.ProjectSuspended,
        ),
        empty={"list": []},
    ),
    _get(
        "/v1/File/{accesskey}/{name}",
        "fileDownload",
        "Files",
        "Download a picture or an upload",
        about="The access key is the authority.",
        other_answers={"*/*": "The file."},
        refusals=(errors.UnknownFile,),
        inputs=(RANGE,),
    ),
    _get(
        "/models/{name}",
        "modelPicture",
        "Models",
        "A cover or a sample",
        other_answers={"image/*": "The picture."},
        refusals=(errors.UnknownPath,),
    ),
    _get("/livez", "livez", "Health", "Whether the process lives", other_answers={"text/plain": "ok"}),
    _get("/readyz", "readyz", "Health", "Whether it can draw", other_answers={"text/plain": "ok"}),
    _get(
        "/openapi.json",
        "openapi",
        "Description",
        "This description",
        other_answers={"application/json": "An OpenAPI document."},
    ),
    _get("/docs", "docs", "Description", "The same, to read", other_answers={"text/html": "A page."}),
)
