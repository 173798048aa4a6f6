"""The model page's commands in a real shell."""

import json
import subprocess
from typing import Any

from api import commands

NO_CREDENTIALS = {"code": 99, "message": "Authorization bearer token is not founded in headers."}


def bash(url: str, script: str) -> list[dict[str, Any]]:
    """What the script prints, with the page's host replaced by the server's: JSON answers in a row."""
    script = script.replace("https://api.wiro.ai", url).replace("curl -X", "curl -s -X")
    ended = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=20)
    printed, decoder, answers = ended.stdout.strip(), json.JSONDecoder(), []
    while printed:
        answer, end = decoder.raw_decode(printed)
        answers.append(answer)
        printed = printed[end:].lstrip()
    return answers


def prepared(key: str, secret: str) -> str:
    """The page's preparation with a project's credentials in place of its placeholders."""
    return commands.PREPARE.replace("{{useSelectedProjectAPIKey}}", key).replace("XXXXXXXXX", secret)
