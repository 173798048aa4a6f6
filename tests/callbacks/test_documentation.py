"""What docs/callbacks.md tells receivers to do is right."""

import os
import re
import subprocess
import time
from pathlib import Path
from typing import Any

from tintype.callbacks.signing import headers

DOCUMENT = (Path(__file__).parents[2] / "docs" / "callbacks.md").read_text("utf-8")
SECRET = "whsec_plJ3nmyCDGBKInavdOK15jsl"
BODY = b'{"event_type":"ping","data":{"success":true}}'


def block(language: str, word: str) -> str:
    """The one piece of code in a language that holds a word."""
    blocks = re.findall(rf"```{language}\n(.*?)```", DOCUMENT, re.DOTALL)
    (found,) = [text for text in blocks if word in text]
    return str(found)


def test_the_python_example_tells_genuine_callbacks_from_others() -> None:
    names: dict[str, Any] = {}
    exec(block("python", "def is_genuine"), names)
    is_genuine = names["is_genuine"]
    signed = headers([SECRET], message_id="msg_1", timestamp=int(time.time()), body=BODY)
    old = headers([SECRET], message_id="msg_1", timestamp=int(time.time()) - 600, body=BODY)

    assert is_genuine(SECRET, signed, BODY)
    assert not is_genuine(SECRET, signed, BODY + b" ")
    assert not is_genuine("whsec_b3RoZXI=", signed, BODY)
    assert not is_genuine(SECRET, old, BODY)


def test_the_shell_example_computes_the_vector_of_the_standard(tmp_path: Path) -> None:
    (tmp_path / "body").write_bytes(BODY)
    given = {
        "WEBHOOK_ID": "msg_loFOjxBNrRLzqYUf",
        "WEBHOOK_TIMESTAMP": "1731705121",
        "SECRET": SECRET,
    }

    done = subprocess.run(
        ["bash", "-c", block("bash", "openssl")],
        cwd=tmp_path,
        env=os.environ | given,
        capture_output=True,
        text=True,
    )

    assert done.stdout.strip() == "rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0=", done.stderr
