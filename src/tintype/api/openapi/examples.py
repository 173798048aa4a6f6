"""Examples from the model page, with every field that this server adds."""

from typing import Any

RUN: dict[str, Any] = {
    "prompt": "",
    "width": 1024,
    "height": 1024,
    "guidance": 4.5,
    "steps": 50,
    "safetyTolerance": 2,
    "seed": 123,
    "outputFormat": "png",
    "callbackUrl": "https://example.org/drawn",
}
TOKEN = "eDcCm5yyUfIvMFspTwww49OUfgXkQt"
ACCEPTED: dict[str, Any] = {"errors": [], "taskid": "2221", "socketaccesstoken": TOKEN, "result": True}
BY_ID: dict[str, Any] = {"taskid": "2221"}
BY_TOKEN: dict[str, Any] = {"tasktoken": TOKEN}
QUOTED: dict[str, Any] = {
    "result": True,
    "errors": [],
    "quote": {"elapsedseconds": "6.0000", "totalcost": "0.003510000000", "cps": "0.000585000000"},
}
LIST: dict[str, Any] = {"type": "model", "sort": "id", "order": "DESC", "start": "0", "limit": "20"}
SEARCH: dict[str, Any] = {"search": "flux", "start": "0", "limit": "20", "summary": True}
PAGE: dict[str, Any] = {"slugowner": "black-forest-labs", "slugproject": "flux-2-flex-t2i"}


def one_task(public_url: str) -> dict[str, Any]:
    """The model page's answer to Task/Detail."""
    return {"total": "1", "errors": [], "tasklist": [task(public_url)], "result": True}


def task(public_url: str) -> dict[str, Any]:
    """The model page's task."""
    account, folder, key = (
        "15bce51f-442f-4f44-a71d-13c6374a62bd",
        "6c1833f39da71e6175bf292b18779baf",
        "dFKlMApaSgMeHKsJyaDeKrefcHahUK",
    )
    return {
        "id": "2221",
        "uuid": account,
        "name": "",
        "socketaccesstoken": TOKEN,
        "parameters": {name: value for name, value in RUN.items() if name != "callbackUrl"},
        "debugoutput": "",
        "debugerror": "",
        "starttime": "1734513809",
        "endtime": "1734513813",
        "elapsedseconds": "6.0000",
        "status": "task_postprocess_end",
        "cps": "0.000585000000",
        "totalcost": "0.003510000000",
        "guestid": None,
        "projectid": "699",
        "modelid": "598",
        "description": "",
        "basemodelid": "0",
        "runtype": "model",
        "modelfolderid": "",
        "modelfileid": "",
        "callbackurl": "",
        "marketplaceid": None,
        "createtime": "1734513807",
        "canceltime": "0",
        "assigntime": "1734513807",
        "accepttime": "1734513807",
        "preprocessstarttime": "1734513807",
        "preprocessendtime": "1734513807",
        "postprocessstarttime": "1734513813",
        "postprocessendtime": "1734513814",
        "pexit": "0",
        "categories": '["tool","bfl","text-to-image","partner","flux-2-flex"]',
        "outputs": [
            {
                "id": "6bc392c93856dfce3a7d1b4261e15af3",
                "name": "0.png",
                "contenttype": "image/png",
                "parentid": folder,
                "uuid": account,
                "size": "202472",
                "addedtime": "1734513812",
                "modifiedtime": "1734513812",
                "accesskey": key,
                "foldercount": "0",
                "filecount": "0",
                "ispublic": 0,
                "expiretime": None,
                "url": f"{public_url}/v1/File/{key}/0.png",
            }
        ],
        "size": "202472",
        "modelslugowner": "black-forest-labs",
        "modelslugproject": "flux-2-flex-t2i",
        "modeldescription": "flux-2-flex",
        "outputfolderid": folder,
    }
