"""File parameters: every form in which a Run may give a file, as one list of parts and URLs."""

import re
from collections.abc import Mapping
from typing import Any

from tintype.domain.catalogue import Model
from tintype.domain.file_types import PICTURES
from tintype.domain.parameter import ONE_FILE, Parameter
from tintype.domain.part import Part
from tintype.domain.web_address import is_web_address

LONGEST_URL = 8192
_BETWEEN_URLS = re.compile(r",(?=\s*(?:https?://|$))", re.IGNORECASE)
"""A comma may be a part of a URL, but not one after which another begins."""
_MULTIPLE = "Multiple"


class FilesRefused(Exception):
    """Why the files of one parameter are refused; the whole message."""


def read_files(parameter: Parameter, parameters: Mapping[str, Any]) -> list[Part | str]:
    """The files given for a parameter, in order: those of `{id}`, then those of `{id}Url`.

    Raises FilesRefused.
    """
    entries = [*_given(parameter, parameters.get(parameter.id))]
    for name in url_names(parameter.id):
        entries += _urls(parameter, parameters.get(name))
    if parameter.required and not entries:
        raise FilesRefused(f"Request files [{parameter.id}] required")
    most = parameter.most_files
    if len(entries) > most:
        raise _refused(parameter, "must be one file or URL" if most == 1 else f"must be at most {most} files")
    for entry in entries:
        _check(parameter, entry)
    return entries


def file_parameters(model: Model) -> dict[str, int]:
    """The model's parameters that take files, and how many each takes."""
    return {parameter.id: parameter.most_files for parameter in model.items() if parameter.is_file}


def list_names(model: Model) -> set[str]:
    """What may hold several files or URLs in a Run of the model."""
    named = file_parameters(model)
    return {*named, *(urls for name in named for urls in url_names(name))}


def url_names(name: str) -> list[str]:
    """What URLs for a parameter may be called: `{id}Url`, and `…UrlMultiple` beside `…Multiple`."""
    if name.endswith(_MULTIPLE):
        return [f"{name}Url", f"{name.removesuffix(_MULTIPLE)}Url{_MULTIPLE}"]
    return [f"{name}Url"]


def urls_of(inputs: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The files of a task's inputs, as parameter and URL, in order: files alone stand in lists."""
    return [(name, url) for name, value in inputs.items() if isinstance(value, list) for url in value]


def _given(parameter: Parameter, value: Any) -> list[Any]:
    """What stands in `{id}` itself: a part, a URL, or a list of them; one text may hold several URLs."""
    if isinstance(value, list):
        stripped = [entry.strip() if isinstance(entry, str) else entry for entry in value]
        return [entry for entry in stripped if entry not in (None, "")]
    return _urls(parameter, value)


def _urls(parameter: Parameter, value: Any) -> list[Any]:
    """What stands in `{id}Url`: a URL, several with commas between them, or a list."""
    found: list[Any] = []
    for entry in value if isinstance(value, list) else [value]:
        if isinstance(entry, str):
            urls = [entry] if parameter.type == ONE_FILE else _BETWEEN_URLS.split(entry)
            found += [url.strip() for url in urls if url.strip()]
        elif entry is not None:
            found.append(entry)
    return found


def _check(parameter: Parameter, entry: Any) -> None:
    if isinstance(entry, Part):
        if entry.kind is None or not entry.kind.is_picture:
            raise _refused(parameter, f"must be a picture ({', '.join(PICTURES)})")
    elif not isinstance(entry, str) or len(entry) > LONGEST_URL or not is_web_address(entry):
        raise _refused(parameter, "must be a file or an absolute http(s) URL")


def _refused(parameter: Parameter, problem: str) -> FilesRefused:
    return FilesRefused(f"Request parameter [{parameter.id}] {problem}")
