"""What `tintype serve` prints when it is ready: always the address, and once the credentials."""

import shutil
import sys
from pathlib import Path

MODEL = "black-forest-labs/flux-2-flex-t2i"

_FIRST = """\
Tintype serves on {url}

This is the first start, so there is a project now. Its credentials are not printed again;
`{tintype} project show {name}` shows them.

  API key     {key}
  API secret  {secret}

Paste this into another terminal to draw a picture:

export YOUR_API_KEY="{key}";
export YOUR_API_SECRET="{secret}";
export NONCE=$(date +%s);
export SIGNATURE="$(echo -n "${{YOUR_API_SECRET}}${{NONCE}}" \\
  | openssl dgst -sha256 -hmac "${{YOUR_API_KEY}}")";
curl -X POST "{url}/v1/Run/{model}" \\
  -H "Content-Type: multipart/form-data" \\
  -H "x-api-key: ${{YOUR_API_KEY}}" \\
  -H "x-nonce: ${{NONCE}}" \\
  -H "x-signature: ${{SIGNATURE}}" \\
  -d '{{
  "prompt": "a red apple",
  "width": 1024,
  "height": 1024,
  "guidance": 4.5,
  "steps": 50,
  "safetyTolerance": 2,
  "seed": 123,
  "outputFormat": "png"
}}';

It answers with a taskid. This shows how far that task is (put its taskid in):

curl -X POST "{url}/v1/Task/Detail" \\
  -H "Content-Type: multipart/form-data" \\
  -H "x-api-key: ${{YOUR_API_KEY}}" \\
  -H "x-nonce: ${{NONCE}}" \\
  -H "x-signature: ${{SIGNATURE}}" \\
  -d '{{ "taskid": "1" }}';

When its status is task_postprocess_end, the picture is at the url in outputs:

curl -o apple.png "URL"

Or let this folder's Tintype do all of that:

{tintype} run {model} --prompt "a red apple" -o apple.png
"""


def first_start(*, url: str, name: str, key: str, secret: str) -> str:
    """The address, the new project's credentials, and commands to paste."""
    return _FIRST.format(url=url, name=name, key=key, secret=secret, model=MODEL, tintype=own_name())


def later_start(*, url: str) -> str:
    """The address alone: a secret is not for logs."""
    return f"Tintype serves on {url}\n"


def own_name() -> str:
    """How the reader calls Tintype: by its name if that finds this one, else by its path from here."""
    beside = Path(sys.executable).with_name("tintype")
    if shutil.which("tintype") == str(beside):
        return "tintype"
    here = Path.cwd()
    return str(beside.relative_to(here)) if beside.is_relative_to(here) else str(beside)
