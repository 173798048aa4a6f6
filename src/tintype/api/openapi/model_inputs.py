"""The inputs of a model as a schema: what its page accepts, in the forms that callers may write it."""

from typing import Any

from tintype.domain.catalogue import Model
from tintype.domain.parameter import ONE_FILE, SELECT, Parameter

NOT_SET: dict[str, Any] = {"enum": ["", None]}
URL: dict[str, Any] = {"type": "string", "description": "A URL, or several with commas."}
CALLER_S_OWN: dict[str, Any] = {
    "callbackUrl": {"type": ["string", "null"], "description": "Where the task is sent when it has ended."},
    "projectid": {
        "type": ["string", "integer", "null"],
        "description": "Another project of the account, which pays.",
    },
}


def inputs_schema(model: Model) -> dict[str, Any]:
    """The body of a Run in JSON or a form."""
    properties: dict[str, Any] = {}
    for parameter in model.items():
        properties[parameter.id] = _described(parameter)
        if parameter.is_file:
            properties[f"{parameter.id}Url"] = URL
    required = [each.id for each in model.items() if each.required and not each.is_file]
    return {
        "title": model.title,
        "type": "object",
        "properties": properties | CALLER_S_OWN,
        **({"required": required} if required else {}),
    }


def form_schema(model: Model) -> dict[str, Any]:
    """The body of a Run in multipart, where files are parts."""
    schema = inputs_schema(model)
    for parameter in model.items():
        if parameter.is_file:
            part = {"type": "string", "format": "binary"}
            several = {"type": "array", "items": part, "maxItems": parameter.most_files}
            schema["properties"][parameter.id] = part if parameter.type == ONE_FILE else several
    return schema


def _described(parameter: Parameter) -> dict[str, Any]:
    described = {"title": parameter.label, **_value(parameter)}
    if about := " ".join(filter(None, (parameter.help, parameter.description))):
        described["description"] = about
    default = parameter.default if parameter.fixed is None else parameter.fixed
    if default is not None:
        described["default"] = default
    return described


def _value(parameter: Parameter) -> dict[str, Any]:
    if parameter.is_file:
        return {"type": ["string", "array", "null"], "items": {"type": "string"}}
    if parameter.is_number:
        unset = {"enum": ["", None, 0, "0"]} if parameter.zero_is_unset else NOT_SET
        return {"anyOf": [_number(parameter), {"type": "string", "pattern": r"^-?[0-9.]+$"}, unset]}
    if parameter.type == SELECT:
        return {"enum": [*(option.value for option in parameter.options), "", None]}
    return {"type": "string"} if parameter.required else {"type": ["string", "null"]}


def _number(parameter: Parameter) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "integer" if parameter.is_whole else "number"}
    for name, limit in (("minimum", parameter.min), ("maximum", parameter.max)):
        if limit is not None:
            schema[name] = limit
    if parameter.multiple_of:
        schema["multipleOf"] = parameter.multiple_of
    return schema
