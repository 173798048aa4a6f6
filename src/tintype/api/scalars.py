"""Single values as callers spell them: numbers as text, text as numbers, `""` and null for nothing."""

from collections.abc import Mapping
from typing import Any

from tintype.domain.errors import MalformedRequest

LARGEST = 10**15


def text(parameters: Mapping[str, Any], name: str) -> str:
    """A scalar as text; `""` if it is not set. Raises MalformedRequest for lists and objects."""
    value = parameters.get(name)
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case str():
            return value
        case int():
            return str(value)
        case float():
            return str(int(value)) if value.is_integer() else str(value)
    raise MalformedRequest


def count(parameters: Mapping[str, Any], name: str, *, default: int, low: int, high: int = LARGEST) -> int:
    """A whole number within limits; the default if there is none to read."""
    value = parameters.get(name)
    try:
        number = default if value is None or value == "" else int(float(value))
    except (TypeError, ValueError, OverflowError):
        number = default
    return min(max(number, low), high)


def flag(parameters: Mapping[str, Any], name: str) -> bool:
    """Whether a switch is on."""
    return str(parameters.get(name)).lower() in ("true", "1")


def texts(parameters: Mapping[str, Any], name: str) -> list[str]:
    """A list of texts, or one alone, under `name` or `name[]`; empty entries count for nothing."""
    value = parameters.get(name, parameters.get(f"{name}[]"))
    entries = value if isinstance(value, list) else [value]
    return [text({name: entry}, name) for entry in entries if entry not in (None, "")]
