"""Exit codes, so that scripts can tell what happened."""

from enum import IntEnum


class Exit(IntEnum):
    """How a command ended."""

    OK = 0
    FAILED = 1
    """The task failed or was cancelled."""
    USAGE = 2
    """The command line or a setting is wrong."""
    REFUSED = 3
    """The server said no: inputs, credentials, limits."""
    UNREACHABLE = 4
    """No server answered."""
    INTERRUPTED = 130
    """Ctrl-C."""
