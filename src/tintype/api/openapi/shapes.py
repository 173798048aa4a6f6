"""What bodies and answers look like. Sections 5 to 8, 11 and 13 of the protocol, as types."""

from typing import Annotated, Any, Literal, NotRequired, TypeAlias, TypedDict

from msgspec import Meta

from tintype.api.tool_item import ToolGroup, ToolItem
from tintype.domain.lifecycle import Status

Epoch = Annotated[str, Meta(pattern="^[0-9]+$", description='Unix seconds; "0" if it has not happened.')]
Digits = Annotated[str, Meta(pattern="^[0-9]+$")]
Token = Annotated[str, Meta(pattern="^[A-Za-z0-9]{30}$")]
FileId = Annotated[str, Meta(pattern="^([0-9a-f]{32}|0)$")]
Number: TypeAlias = int | float | str | None
Text: TypeAlias = str | int | float | bool | None
Switch: TypeAlias = bool | str | int | None


class Problem(TypedDict):
    """One thing that was refused, and why."""

    code: int
    message: Annotated[str, Meta(min_length=1)]


class Refused(TypedDict):
    """What was asked was not done."""

    result: Literal[False]
    errors: Annotated[list[Problem], Meta(min_length=1)]


class Done(TypedDict):
    """What was asked was done."""

    result: Literal[True]
    errors: Annotated[list[Problem], Meta(max_length=0)]


class Accepted(Done):
    """A task was accepted. It survives a power cut."""

    taskid: Digits
    socketaccesstoken: Token


class Quote(TypedDict):
    """What a run is expected to take and to cost."""

    elapsedseconds: str
    totalcost: str
    cps: str


class Quoted(Done):
    """Nothing was run; this is what the run would probably take and cost."""

    quote: Quote


class Output(TypedDict):
    """A picture."""

    id: FileId
    name: str
    contenttype: str
    parentid: FileId
    uuid: str
    size: Digits
    addedtime: Epoch
    modifiedtime: Epoch
    accesskey: Token
    foldercount: str
    filecount: str
    ispublic: int
    expiretime: None
    url: Annotated[str, Meta(description="Absolute; downloadable without credentials.")]


class Task(TypedDict):
    """A task at the moment the server was asked. Every task has every field, whatever its status."""

    id: Digits
    uuid: Annotated[str, Meta(description="The owner account.")]
    name: str
    socketaccesstoken: Token
    parameters: Annotated[dict[str, Any], Meta(description="As sent, files as URLs.")]
    debugoutput: str
    debugerror: Annotated[str, Meta(description="Why it failed, and notes.")]
    starttime: Epoch
    endtime: Epoch
    elapsedseconds: Annotated[str, Meta(pattern=r"^[0-9]+\.[0-9]{4}$")]
    status: Status
    cps: Annotated[str, Meta(description="Dollars per second, 12 decimals.")]
    totalcost: Annotated[str, Meta(description='Dollars, 12 decimals; "0" for everything but success.')]
    guestid: str | None
    projectid: Digits
    modelid: Digits
    description: str
    basemodelid: Digits
    runtype: str
    modelfolderid: str
    modelfileid: str
    callbackurl: str
    marketplaceid: str | None
    createtime: Epoch
    canceltime: Epoch
    assigntime: Epoch
    accepttime: Epoch
    preprocessstarttime: Epoch
    preprocessendtime: Epoch
    postprocessstarttime: Epoch
    postprocessendtime: Epoch
    pexit: Annotated[str, Meta(description='"0" is success; "" before the end and for cancelled tasks.')]
    categories: Annotated[str, Meta(description="A JSON array, as text.")]
    outputs: list[Output]
    size: Digits
    modelslugowner: str
    modelslugproject: str
    modeldescription: str
    outputfolderid: FileId


class OneTask(Done):
    """The task."""

    total: Literal["1"]
    tasklist: Annotated[list[Task], Meta(min_length=1, max_length=1)]


class Tasks(Done):
    """One page of tasks; `total` counts all that match."""

    total: Digits
    tasklist: list[Task]


class Tools(Done):
    """One page of models; `total` counts all that match."""

    total: int
    tool: list[ToolItem]


class OneTool(Done):
    """The model's page."""

    tool: Annotated[list[ToolItem], Meta(min_length=1, max_length=1)]


class Explored(Done):
    """Models by category."""

    explore: list[ToolGroup]


class Upload(TypedDict):
    """An uploaded file."""

    id: FileId
    name: str
    contenttype: str
    size: Digits
    parentid: FileId
    url: str
    addedtime: Epoch
    accesskey: Token


_OneUpload: TypeAlias = Annotated[list[Upload], Meta(min_length=1, max_length=1)]


class Uploaded(Done):
    """The file is kept."""

    list: _OneUpload


class Folder(TypedDict):
    """A folder of uploads."""

    id: FileId
    name: str
    parentid: FileId
    size: str
    contenttype: str
    addedtime: Epoch


_OneFolder: TypeAlias = Annotated[list[Folder], Meta(min_length=1, max_length=1)]


class FolderMade(Done):
    """The folder is there."""

    list: _OneFolder


# Bodies. Everything may come as text; unknown keys fail nothing.


class TaskNamed(TypedDict, total=False):
    """Names a task; a token counts before an id."""

    taskid: Text
    tasktoken: Text
    socketaccesstoken: Text


class TaskListAsked(TypedDict, total=False):
    """Everything is optional."""

    start: Number
    limit: Annotated[Number, Meta(description="1 to 100.")]
    sort: Text
    order: Annotated[Text, Meta(description="DESC, the newest first, or ASC.")]
    modelName: Annotated[Text, Meta(description="A part of the model's name.")]
    type: Text


class ToolListAsked(TypedDict, total=False):
    """Everything is optional; empty filters filter nothing."""

    start: Number
    limit: Annotated[Number, Meta(description="1 to 100.")]
    search: Annotated[Text, Meta(description="Every word must occur.")]
    sort: Annotated[
        Text, Meta(description="id, relevance, time, ratedusercount, commentcount or averagepoint.")
    ]
    order: Annotated[Text, Meta(description="ASC or DESC.")]
    categories: list[str] | str | None
    tags: list[str] | str | None
    slugowner: Text
    hideworkflows: Switch
    summary: Switch


class ToolNamed(TypedDict, total=False):
    """Names a model."""

    slugowner: Text
    slugproject: Text
    summary: Switch


class ToolsExplored(TypedDict, total=False):
    """Nothing is needed."""

    summary: Switch


class UploadSent(TypedDict):
    """A file, as a part of multipart/form-data."""

    file: Annotated[str, Meta(extra_json_schema={"format": "binary"})]
    folderid: NotRequired[str]


class FolderAsked(TypedDict):
    """A folder to make, or to find."""

    name: Annotated[str, Meta(pattern="^[A-Za-z0-9_-]+$")]
    parentid: NotRequired[Text]


class RunAsked(TypedDict, total=False):
    """The inputs of the model, and what every Run takes."""

    callbackUrl: Annotated[Text, Meta(description="Where the task is sent when it has ended.")]
    projectid: Annotated[Text, Meta(description="Another project of the account, which pays.")]
