"""The only reader of the environment, and of the file that it may name."""

import difflib
import os
import tomllib
from collections.abc import Mapping
from dataclasses import Field
from pathlib import Path
from typing import Any, cast, get_type_hints

from tintype.domain.errors import BadSetting
from tintype.settings.knobs import Settings, knobs
from tintype.settings.names import CLIENT_NAMES, PREFIX

YES_OR_NO = {
    "yes": True,
    "true": True,
    "on": True,
    "1": True,
    "no": False,
    "false": False,
    "off": False,
    "0": False,
}


def read_settings(
    environment: Mapping[str, str] | None = None, *, overrides: Mapping[str, Any] | None = None
) -> Settings:
    """Settings from, in rising order: defaults, the TOML file, the environment, `overrides`.

    Raises BadSetting with the name and what would be right.
    """
    environment = os.environ if environment is None else environment
    values = dict(_from_file(environment.get(f"{PREFIX}CONFIG", "")))
    for variable, text in environment.items():
        name = variable.removeprefix(PREFIX)
        if variable.startswith(PREFIX) and name not in CLIENT_NAMES | {"CONFIG"} and text != "":
            values[variable] = text
    parsed = {_known(name).name: _parse(name, value) for name, value in values.items()}
    given = {name: value for name, value in (overrides or {}).items() if value is not None}
    return Settings(**(parsed | given))


def _from_file(path: str) -> Mapping[str, Any]:
    if not path:
        return {}
    try:
        return tomllib.loads(Path(path).expanduser().read_text("utf-8"))
    except (OSError, ValueError) as problem:
        raise BadSetting(name=f"{PREFIX}CONFIG", problem=f"cannot read {path}: {problem}") from problem


def _known(name: str) -> Field[Any]:
    by_name = {knob.name: knob for knob in knobs()}
    wanted = name.removeprefix(PREFIX).lower()
    if wanted in by_name:
        return by_name[wanted]
    close = difflib.get_close_matches(wanted, by_name, n=1)
    hint = f"; did you mean {PREFIX}{close[0].upper()}?" if close else ""
    raise BadSetting(name=name, problem=f"is not a setting{hint}")


def _parse(name: str, value: Any) -> Any:
    knob = _known(name)
    kind = cast(type, get_type_hints(Settings)[knob.name])
    try:
        if kind is bool:
            return value if isinstance(value, bool) else YES_OR_NO[str(value).strip().lower()]
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise ValueError
        return kind(value)
    except (ValueError, KeyError):
        words = {bool: "yes or no", int: "a whole number", float: "a number"}.get(kind, "a text")
        raise BadSetting(name=name, problem=f"must be {words}, not {value!r}") from None
