"""A model as the tool endpoints show it: section 12 of the protocol."""

from decimal import Decimal
from typing import Annotated, NotRequired, TypedDict
from urllib.parse import quote

import msgspec
from msgspec import Meta

from tintype.domain.catalogue import Model, clean_slug
from tintype.domain.money import PICODOLLARS, cost, dollars, epoch, picodollars
from tintype.domain.parameter import Group, Parameter
from tintype.domain.tariff import Tariff, read_price
from tintype.storage.statistics import Runs

_as_numbers = msgspec.json.Encoder(decimal_format="number")


class OptionItem(TypedDict):
    """One choice of a select."""

    value: str
    label: str


class ParameterItem(TypedDict):
    """One input; what it does not have is left out."""

    id: str
    type: str
    label: str
    note: str
    required: bool
    advanced: bool
    description: NotRequired[str]
    placeholder: NotRequired[str]
    options: NotRequired[list[OptionItem]]
    default: NotRequired[str | int | float]
    min: NotRequired[int | float]
    max: NotRequired[int | float]
    step: NotRequired[int | float]


class GroupItem(TypedDict):
    """Inputs shown together."""

    title: str
    items: list[ParameterItem]


class TaskStat(TypedDict):
    """What a model's runs have shown."""

    runcount: int
    successcount: str
    errorcount: str
    lastruntime: str


class ToolItem(TypedDict):
    """A model's page. `readme`, `samples`, `inspire` and `parameters` are not part of a summary."""

    id: str
    title: str
    slugowner: str
    slugproject: str
    cleanslugowner: str
    cleanslugproject: str
    description: str
    seotitle: str
    seodescription: str
    image: str
    computingtime: Annotated[str, Meta(description="How long a run takes on average.")]
    categories: list[str]
    tags: list[str]
    marketplace: int
    onlymembers: str
    averagepoint: str
    commentcount: str
    ratedusercount: str
    cps: Annotated[str, Meta(description="Dollars per second, with 12 decimals.")]
    approximatelycost: Annotated[str, Meta(description="What a run costs on average: seconds × cps.")]
    taskstat: TaskStat
    dynamicprice: NotRequired[
        Annotated[str, Meta(description="A JSON array: what a run costs by its inputs, instead of cps.")]
    ]
    readme: NotRequired[str]
    samples: NotRequired[list[str]]
    inspire: NotRequired[list[dict[str, str | int | float]]]
    parameters: NotRequired[list[GroupItem]]


class ToolGroup(TypedDict):
    """Models of one category."""

    id: str
    title: str
    name: str
    total: int
    tools: list[ToolItem]


def tool_item(model: Model, runs: Runs, public_url: str, *, summary: bool) -> ToolItem:
    """One model with what its runs have shown. `public_url` has no trailing slash."""
    item: ToolItem = {
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
        "categories": list(model.categories),
        "tags": list(model.tags),
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
    if model.dynamic_price:
        item["dynamicprice"] = dynamic_price(model.dynamic_price)
    if not summary:
        item["readme"] = model.readme.strip()
        item["samples"] = [picture_url(name, public_url) for name in model.samples]
        item["inspire"] = list(model.inspire)
        item["parameters"] = [group_item(group) for group in model.parameters]
    return item


def dynamic_price(tariffs: tuple[Tariff, ...]) -> str:
    """The tariffs as text that parses to an array; prices are numbers, the values of inputs text."""
    entries = []
    for tariff in tariffs:
        entry = {"inputs": tariff.inputs, "price": _number(tariff.price), "priceMethod": tariff.method}
        for name, price in (("priceExtra", tariff.extra), ("priceInput", tariff.input)):
            if price is not None:
                entry[name] = _number(price)
        entries.append(entry)
    return _as_numbers.encode(entries).decode()


def _number(price: str) -> Decimal:
    return Decimal(read_price(price)) / PICODOLLARS


def picture_url(name: str, public_url: str) -> str:
    """Where a cover or a sample can be fetched."""
    return f"{public_url}/models/{quote(name)}"


def group_item(group: Group) -> GroupItem:
    """Parameters under one title."""
    return {"title": group.title, "items": [parameter_item(parameter) for parameter in group.items]}


def parameter_item(parameter: Parameter) -> ParameterItem:
    """One parameter; what it does not have is left out, never null."""
    item: ParameterItem = {
        "id": parameter.id,
        "type": parameter.type,
        "label": parameter.label,
        "note": parameter.help,
        "required": parameter.required,
        "advanced": parameter.advanced,
    }
    if parameter.description:
        item["description"] = parameter.description
    if parameter.placeholder:
        item["placeholder"] = parameter.placeholder
    if parameter.options:
        item["options"] = [{"value": option.value, "label": option.label} for option in parameter.options]
    if parameter.fixed is not None:
        item["default"] = item["min"] = item["max"] = parameter.fixed
        return item
    if parameter.default is not None:
        item["default"] = parameter.default
    if parameter.min is not None:
        item["min"] = parameter.min
    if parameter.max is not None:
        item["max"] = parameter.max
    if parameter.step is not None:
        item["step"] = parameter.step
    return item
