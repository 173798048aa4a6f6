"""From parameters as sent to inputs that can be drawn: what counts as set, as a number, as allowed."""

import math
import re
from collections.abc import Mapping
from typing import Any

import msgspec

from tintype.domain.catalogue import Model
from tintype.domain.errors import InvalidInputs
from tintype.domain.file_inputs import FilesRefused, read_files
from tintype.domain.parameter import Parameter

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_LONGEST_NUMBER = 64
_HUGE: int = 10**_LONGEST_NUMBER
LIKE_PICTURE = 0
USUAL_SIDE = 1024
"""Pixels."""


class _Refused(Exception):
    """Why one parameter is refused."""


def read_inputs(model: Model, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The model's inputs, typed and complete with defaults; unknown parameters are left out.

    Files are a list of parts and URLs. A size that follows from the first of them is 0 (`LIKE_PICTURE`).
    Raises InvalidInputs with the first problem of every parameter that has one.
    """
    inputs: dict[str, Any] = {}
    problems: list[str] = []
    pictured = any(_has_files(parameter, parameters) for parameter in model.items())
    for parameter in model.items():
        try:
            inputs[parameter.id] = _read_any(parameter, parameters, pictured=pictured)
        except FilesRefused as refused:
            problems.append(str(refused))
        except _Refused as refused:
            problems.append(f"Request parameter [{parameter.id}] {refused}")
    if problems:
        raise InvalidInputs(*problems)
    return inputs


def estimated_work(inputs: Mapping[str, Any]) -> float:
    """Pixels × steps."""
    return float(estimated_pixels(inputs) * inputs["steps"])


def estimated_pixels(inputs: Mapping[str, Any]) -> int:
    """The pixels of the picture; sizes that are not known yet count as usual ones."""
    return int((inputs["width"] or USUAL_SIDE) * (inputs["height"] or USUAL_SIDE))


def _has_files(parameter: Parameter, parameters: Mapping[str, Any]) -> bool:
    try:
        return parameter.is_file and bool(read_files(parameter, parameters))
    except FilesRefused:
        return False


def _read_any(parameter: Parameter, parameters: Mapping[str, Any], *, pictured: bool) -> Any:
    if parameter.is_file:
        return read_files(parameter, parameters)
    if parameter.like_picture and pictured:
        parameter = msgspec.structs.replace(parameter, default=LIKE_PICTURE)
    value = _read(parameter, parameters.get(parameter.id))
    return value if parameter.fixed is None else parameter.fixed


def _read(parameter: Parameter, value: Any) -> Any:
    if parameter.required and value is None:
        raise _Refused("required")
    if not parameter.required and (value is None or value == ""):
        return parameter.default
    if parameter.is_number:
        return _read_number(parameter, value)
    return _read_text(parameter, value)


def _read_number(parameter: Parameter, value: Any) -> int | float | str | None:
    number = _as_number(value)
    if number == 0 and parameter.zero_is_unset:
        return parameter.default
    if parameter.is_whole and not float(number).is_integer():
        raise _Refused("must be an integer")
    low, high = parameter.min, parameter.max
    if (low is not None and number < low) or (high is not None and number > high):
        raise _Refused(f"must be {_bounds(low, high)}")
    if parameter.multiple_of and number % parameter.multiple_of:
        raise _Refused(f"must be a multiple of {parameter.multiple_of}")
    return int(number) if parameter.is_whole else float(number)


def _bounds(low: int | float | None, high: int | float | None) -> str:
    if high is None:
        return f"at least {low}"
    return f"at most {high}" if low is None else f"between {low} and {high}"


def _as_number(value: Any) -> int | float:
    """A finite JSON number or numeric string as a number; true and false are none."""
    if isinstance(value, str) and len(value) <= _LONGEST_NUMBER:
        text = value.strip()
        if _NUMBER.fullmatch(text):
            value = int(text) if text.lstrip("+-").isdigit() else float(text)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _Refused("must be integer or float")
    if isinstance(value, float) and not math.isfinite(value):
        raise _Refused("must be integer or float")
    return min(max(value, -_HUGE), _HUGE)


def _read_text(parameter: Parameter, value: Any) -> str:
    if isinstance(value, bool):
        value = "true" if value else "false"
    elif isinstance(value, int | float):
        value = str(value)
    if not isinstance(value, str):
        raise _Refused("must be a string")
    allowed = [option.value for option in parameter.options]
    if allowed and value not in allowed:
        raise _Refused(f"must be one of {', '.join(allowed)}")
    return value
