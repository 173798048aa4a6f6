"""The OpenAPI document, put together from the operations, the types, the errors and the catalogue."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

import tintype
from tintype.api.answers import ANSWERS
from tintype.api.openapi import examples, shapes
from tintype.api.openapi.model_inputs import form_schema, inputs_schema
from tintype.api.openapi.operations import OPERATIONS, Authority, Input, Operation, run, run_sync
from tintype.domain import errors
from tintype.domain.catalogue import Catalogue, Model
from tintype.domain.errors import InvalidInputs, TintypeError

REFERENCE = "#/components/schemas/{name}"
JSON, MULTIPART, FORM = "application/json", "multipart/form-data", "application/x-www-form-urlencoded"
ABOUT = (
    "Draws pictures as asynchronous tasks: Run accepts a task, Task/Detail or the WebSocket (an upgrade on "
    "`/v1`) tells how it goes, and its pictures are downloaded from the URLs in `outputs`.\n\n"
    "Every body may be JSON, a form or multipart, whatever its Content-Type says; numbers may be text; "
    "unknown keys fail nothing. Failures that are not about authentication, size, paths or rates are HTTP "
    '200 with `"result": false`.'
)
SECURITY_SCHEMES = {
    "key": {
        "type": "apiKey",
        "in": "header",
        "name": "x-api-key",
        "description": "The API key of a project. A key-only project needs no more.",
    },
    "nonce": {
        "type": "apiKey",
        "in": "header",
        "name": "x-nonce",
        "description": "Any decimal string, such as the Unix time; of a signature project.",
    },
    "signature": {
        "type": "apiKey",
        "in": "header",
        "name": "x-signature",
        "description": "Hex HMAC-SHA256 of the API secret directly followed by the nonce, keyed with the "
        "API key.",
    },
    "requestSignature": {
        "type": "apiKey",
        "in": "header",
        "name": "signature",
        "description": "HTTP Message Signatures (RFC 9421) with signature-input and content-digest, for "
        "projects that accept or require them.",
    },
}
PROOFS: list[dict[str, list[str]]] = [
    {"key": []},
    {"key": [], "nonce": [], "signature": []},
    {"key": [], "requestSignature": []},
]
STATUSES = {
    200: "Done; or refused, with result false",
    401: "Credentials are missing or wrong",
    404: "There is no such thing",
    413: "The body or a file is too large",
    429: "Too many requests; Retry-After says when to come back",
}
CONNECTION: tuple[type[TintypeError], ...] = (
    errors.MalformedHttp,
    errors.HeadersTooLarge,
    errors.RequestTooSlow,
)
"""What can be wrong with any request, before it is known what it is."""
RATE_LIMITS = {
    "Retry-After": {
        "description": "Whole seconds until the same request may pass.",
        "schema": {"type": "integer", "minimum": 0},
    }
}


def openapi(catalogue: Catalogue, public_url: str) -> dict[str, Any]:
    """The document: every endpoint, and a Run for each model that everybody may see."""
    models = [model for model in catalogue.models if model.is_open_to(None)]
    operations = [*OPERATIONS, *(each for model in models for each in _runs(model))]
    shown = dict.fromkeys(shape for each in operations for shape in (each.body, *each.answers) if shape)
    kinds = [*shown, shapes.Refused]
    _, components = msgspec.json.schema_components(kinds, ref_template=REFERENCE)
    samples = _samples(public_url)
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _described(operation, samples)
    for model in models:
        components[inputs_name(model)] = inputs_schema(model)
        for path in run_paths(model):
            _take_inputs(paths[path]["post"], model)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Tintype",
            "version": tintype.__version__,
            "description": ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": public_url}],
        "tags": [{"name": tag} for tag in dict.fromkeys(each.tag for each in operations)],
        "paths": paths,
        "components": {"schemas": components, "securitySchemes": SECURITY_SCHEMES},
    }


def run_paths(model: Model) -> tuple[str, str]:
    """Where a model is run, and where it is run and waited for."""
    return f"/v1/Run/{model.slug}", f"/v1/Run/{model.slug}/sync"


def inputs_name(model: Model) -> str:
    """What the inputs of a model are called among the schemas."""
    return "Inputs." + model.slug.replace("/", ".")


def _runs(model: Model) -> Iterable[Operation]:
    path, waiting = run_paths(model)
    name = "".join(part.capitalize() for part in model.slug.replace("/", "-").split("-"))
    sample = {name: value for name, value in examples.RUN.items() if _has(model, name)}
    about = model.description
    asked = (sample,)
    yield run(path, id=f"run{name}", tag=model.title, summary=f"Run {model.slug}", about=about, asked=asked)
    yield run_sync(
        waiting,
        id=f"run{name}Sync",
        tag=model.title,
        summary=f"Run {model.slug} and wait for its end",
        about=about,
        asked=asked,
    )


def _has(model: Model, name: str) -> bool:
    return name == "callbackUrl" or any(parameter.id == name for parameter in model.items())


def _take_inputs(described: dict[str, Any], model: Model) -> None:
    reference = {"$ref": REFERENCE.format(name=inputs_name(model))}
    for media_type, content in described["requestBody"]["content"].items():
        content["schema"] = reference
        if media_type == MULTIPART and any(parameter.is_file for parameter in model.items()):
            content["schema"] = form_schema(model)


def _described(operation: Operation, samples: Mapping[str, Any]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.id,
        "tags": [operation.tag],
        "summary": operation.summary,
    }
    if operation.about:
        described["description"] = operation.about
    if parameters := [*_path_parameters(operation.path), *map(_parameter, operation.inputs)]:
        described["parameters"] = parameters
    if operation.authority is Authority.PROJECT:
        described["security"] = PROOFS
    elif operation.authority is Authority.OPTIONAL:
        described["security"] = [{}, *PROOFS]
    if operation.body:
        described["requestBody"] = _body(operation)
    described["responses"] = _responses(operation, samples)
    return described


def _path_parameters(path: str) -> list[dict[str, Any]]:
    names = [part[1:-1] for part in path.split("/") if part.startswith("{")]
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for name in names
    ]


def _parameter(given: Input) -> dict[str, Any]:
    return {"name": given.name, "in": given.place, "description": given.about, "schema": dict(given.schema)}


def _body(operation: Operation) -> dict[str, Any]:
    content: dict[str, Any] = {"schema": reference_to(operation.body)}
    if operation.asked:
        content["examples"] = {
            f"example{number}": {"value": sample} for number, sample in enumerate(operation.asked, 1)
        }
    kinds = (MULTIPART,) if operation.only_multipart else (JSON, MULTIPART, FORM)
    return {
        "content": {kind: dict(content) if kind == JSON else {"schema": content["schema"]} for kind in kinds}
    }


def _responses(operation: Operation, samples: Mapping[str, Any]) -> dict[str, Any]:
    answers: dict[str, Any] = {}
    refused = _by_status(operation.all_refusals)
    if operation.answers or operation.other_answers:
        answers["200"] = _success(operation, refused.pop(200, ()), samples)
    if "*/*" in operation.other_answers:
        answers |= {
            "206": {"description": "The bytes asked for", "content": {"*/*": {}}},
            "304": {"description": "The caller has it already"},
            "416": {"description": "There are no such bytes"},
        }
    if operation.path == "/readyz":
        answers["503"] = {"description": "Not ready", "content": {"text/plain": {}}}
    for status, kinds in sorted(refused.items()):
        answers[str(status)] = {
            "description": STATUSES[status],
            "content": {JSON: {"schema": _refused(operation), "examples": _refusals(operation, kinds)}},
            **({"headers": RATE_LIMITS} if status == 429 else {}),
        }
    answers["500"] = {
        "description": "The server is at fault",
        "content": {JSON: {"schema": _refused(operation)}},
    }
    answers["default"] = {
        "description": "The request never got so far: "
        + "; ".join(kind.__doc__ or "" for kind in CONNECTION),
        "content": {JSON: {"schema": reference_to(shapes.Refused)}},
    }
    return answers


def _success(
    operation: Operation, refusals: Sequence[type[TintypeError]], samples: Mapping[str, Any]
) -> dict[str, Any]:
    content: dict[str, Any] = {}
    if operation.answers:
        done = {"done": {"value": samples[operation.sample]}} if operation.sample else {}
        content[JSON] = {
            "schema": {"anyOf": [*map(reference_to, operation.answers), _refused(operation)]},
            "examples": {**done, **_refusals(operation, refusals)},
        }
    for kind in operation.other_answers:
        content[kind] = {"schema": {"type": "object"}} if kind == JSON else {}
    about = "; ".join(operation.other_answers.values())
    return {"description": about if not operation.answers else STATUSES[200], "content": content}


def _by_status(kinds: Iterable[type[TintypeError]]) -> dict[int, tuple[type[TintypeError], ...]]:
    found: dict[int, tuple[type[TintypeError], ...]] = {}
    for kind in kinds:
        status = ANSWERS[kind].status
        found[status] = (*found.get(status, ()), kind)
    return found


def _refused(operation: Operation) -> dict[str, Any]:
    """The shape of the endpoint's refusals, with its own fields void."""
    void = {name: {"const": value} for name, value in operation.empty.items()}
    if not void:
        return reference_to(shapes.Refused)
    return {"allOf": [reference_to(shapes.Refused), {"properties": void, "required": list(void)}]}


def _refusals(operation: Operation, kinds: Sequence[type[TintypeError]]) -> dict[str, Any]:
    return {
        kind.__name__: {
            "value": {
                **operation.empty,
                "errors": [{"code": ANSWERS[kind].code, "message": message(kind)}],
                "result": False,
            }
        }
        for kind in kinds
    }


def message(kind: type[TintypeError]) -> str:
    """What an error says, its fields in braces."""
    return "Request parameter [{name}] …" if kind is InvalidInputs else kind.__doc__ or ""


def reference_to(shape: Any) -> dict[str, Any]:
    """Where a type stands among the schemas."""
    return {"$ref": REFERENCE.format(name=shape.__name__)}


def _samples(public_url: str) -> dict[str, Any]:
    return {"accepted": examples.ACCEPTED, "task": examples.one_task(public_url)}
