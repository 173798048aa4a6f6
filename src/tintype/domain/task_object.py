"""The task as every task endpoint and the callback show it: one set of fields, in every state."""

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from tintype.domain.catalogue import Model, clean_slug
from tintype.domain.money import dollars, elapsed_seconds, epoch
from tintype.domain.task import File, Task


def task_object(task: Task, model: Model, public_url: str) -> dict[str, Any]:
    """Sections 7 to 9 of the protocol. `public_url` has no trailing slash."""
    return task_fields(task, public_url) | page_fields(model)


def envelope(total: int, tasks: Sequence[Any]) -> dict[str, Any]:
    """What task objects are wrapped in, in answers and in callbacks."""
    return {"total": str(total), "errors": [], "tasklist": tasks, "result": True}


def page_fields(model: Model) -> dict[str, Any]:
    """What a task object says about the model that ran."""
    return {
        "modelid": str(model.id),
        "categories": json.dumps(model.categories, separators=(",", ":")),
        "modelslugowner": clean_slug(model.owner),
        "modelslugproject": clean_slug(model.project),
        "modeldescription": model.description,
    }


def task_fields(task: Task, public_url: str) -> dict[str, Any]:
    """What a task object says about the task itself."""
    moments = task.moments
    return {
        "id": str(task.id),
        "uuid": task.account_uuid,
        "name": "",
        "socketaccesstoken": task.token,
        "parameters": task.parameters,
        "debugoutput": task.debug_output,
        "debugerror": task.debug_error,
        "starttime": epoch(moments.start),
        "endtime": epoch(moments.end),
        "elapsedseconds": str(elapsed_seconds(moments.accept, moments.end)),
        "status": task.status.value,
        "cps": dollars(task.cps),
        "totalcost": dollars(task.total_cost) if task.succeeded else "0",
        "guestid": None,
        "projectid": str(task.billed_project_id),
        "description": "",
        "basemodelid": "0",
        "runtype": "model",
        "modelfolderid": "",
        "modelfileid": "",
        "callbackurl": task.callback_url,
        "marketplaceid": None,
        "createtime": epoch(moments.create),
        "canceltime": epoch(moments.cancel),
        "assigntime": epoch(moments.assign),
        "accepttime": epoch(moments.accept),
        "preprocessstarttime": epoch(moments.preprocess_start),
        "preprocessendtime": epoch(moments.preprocess_end),
        "postprocessstarttime": epoch(moments.postprocess_start),
        "postprocessendtime": epoch(moments.postprocess_end),
        "pexit": "" if task.exit_code is None else str(task.exit_code),
        "outputs": [output_object(file, task.account_uuid, public_url) for file in task.outputs],
        "size": str(sum(file.size for file in task.outputs)),
        "outputfolderid": task.output_folder if task.outputs else "0",
    }


def output_object(file: File, account_uuid: str, public_url: str) -> dict[str, Any]:
    """Section 8 of the protocol."""
    return {
        "id": file.id,
        "name": file.name,
        "contenttype": file.content_type,
        "parentid": file.folder,
        "uuid": account_uuid,
        "size": str(file.size),
        "addedtime": epoch(file.added),
        "modifiedtime": epoch(file.added),
        "accesskey": file.access_key,
        "foldercount": "0",
        "filecount": "0",
        "ispublic": 0,
        "expiretime": None,
        "url": file_url(file, public_url),
    }


def file_url(file: File, public_url: str) -> str:
    """Where anybody can fetch the file."""
    return f"{public_url}/v1/File/{file.access_key}/{quote(file.name)}"
