"""The Python SDK of Tintype; talks to a server, never imports one."""

from tintype_client.async_client import AsyncClient
from tintype_client.callbacks import verify_callback
from tintype_client.client import Client
from tintype_client.errors import (
    BadCallback,
    ClientError,
    NotFinished,
    Problem,
    Refused,
    ServerFault,
    TaskCancelled,
    TaskFailed,
    TooManyRequests,
    Unauthorized,
    Unreachable,
)
from tintype_client.files import File, Folder
from tintype_client.models import Input, Model, Option
from tintype_client.tasks import Output, Page, Progress, Quote, Task, Ticket

__all__ = [
    "AsyncClient",
    "BadCallback",
    "Client",
    "ClientError",
    "File",
    "Folder",
    "Input",
    "Model",
    "NotFinished",
    "Option",
    "Output",
    "Page",
    "Problem",
    "Progress",
    "Quote",
    "Refused",
    "ServerFault",
    "Task",
    "TaskCancelled",
    "TaskFailed",
    "Ticket",
    "TooManyRequests",
    "Unauthorized",
    "Unreachable",
    "verify_callback",
]
