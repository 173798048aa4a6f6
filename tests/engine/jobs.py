"""Jobs as tests want them: everything usual but what the test is about."""

import itertools
from typing import Any

from tintype.engine.protocol import Job

_numbers = itertools.count(1)


def job(**fields: Any) -> Job:
    usual: dict[str, Any] = {
        "id": f"job-{next(_numbers)}",
        "prompt": "a red kite",
        "width": 64,
        "height": 64,
        "steps": 4,
        "guidance": 4.0,
        "seed": 123,
    }
    return Job(**usual | fields)
