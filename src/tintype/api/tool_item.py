"""A model as the tool endpoints show it: section 12 of the protocol."""

from typing import Any
from urllib.parse import quote

from tintype.domain.catalogue import Group, Model, Parameter, clean_slug
from tintype.domain.money import cost, dollars, epoch, picodollars
from tintype.storage.statistics import Runs


def tool_item(model: Model, runs: Runs, public_url: str, *, summary: bool) -> dict[str, Any]:
    """One model with what its runs have shown. `public_url` has no trailing slash."""
    item = {
        "id": str(model.id),
        "title": model.title,
        "slugowner": model.owner,
        "slugproject": model.project,
        "cleanslugowner": clean_slug(model.owner),
        "cleanslugproject": clean_slug(model.project),
        "description": model.description,
        "seotitle": model.title,
        "seodescription": model.description,
        "image": picture_url(model.cover, public_url) if model.cover else "",
        "computingtime": f"{round(runs.average_elapsed)} seconds",
        "categories": model.categories,
        "tags": model.tags,
        "marketplace": 0,
        "onlymembers": "0",
        "averagepoint": "0.00",
        "commentcount": "0",
        "ratedusercount": "0",
        "cps": dollars(picodollars(model.cps)),
        "approximatelycost": dollars(cost(runs.average_elapsed, picodollars(model.cps))),
        "taskstat": {
            "runcount": runs.all,
            "successcount": str(runs.successes),
            "errorcount": str(runs.failures),
            "lastruntime": epoch(runs.last),
        },
    }
    if not summary:
        item |= {
            "readme": model.readme.strip(),
            "samples": [picture_url(name, public_url) for name in model.samples],
            "inspire": model.inspire,
            "parameters": [group_item(group) for group in model.parameters],
        }
    return item


def picture_url(name: str, public_url: str) -> str:
    """Where a cover or a sample can be fetched."""
    return f"{public_url}/models/{quote(name)}"


def group_item(group: Group) -> dict[str, Any]:
    """Parameters under one title."""
    return {"title": group.title, "items": [parameter_item(parameter) for parameter in group.items]}


def parameter_item(parameter: Parameter) -> dict[str, Any]:
    """One parameter; what it does not have is left out, never null."""
    item: dict[str, Any] = {
        "id": parameter.id,
        "type": parameter.type,
        "label": parameter.label,
        "note": parameter.note,
        "required": parameter.required,
        "advanced": parameter.advanced,
    }
    if parameter.options:
        item["options"] = [{"value": option.value, "label": option.label} for option in parameter.options]
    for name in ("default", "min", "max", "step"):
        value = getattr(parameter, name)
        if value is not None:
            item[name] = value
    return item
