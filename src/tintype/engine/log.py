"""One log line per event, as JSON on stderr. For the host process, whose stdout carries frames."""

import json
import sys
from typing import Any


def log(event: str, **fields: Any) -> None:
    """Write the event with its fields; values that JSON lacks are written as their text."""
    line = json.dumps({"event": event, **fields}, default=str, ensure_ascii=False)
    print(line, file=sys.stderr, flush=True)
