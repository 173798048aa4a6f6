"""The models on offer. One TOML file in `tintype/models` is one model's page, as data."""

import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self
from urllib.parse import unquote

import msgspec

from tintype.domain.errors import BadCatalogue, UnknownModel
from tintype.domain.fixed import Fixed
from tintype.domain.parameter import NUMBERS, SELECT, TEXTS, Group, Parameter
from tintype.domain.placement import Dtype, Offload, Quantisation
from tintype.domain.source import Source, check_strength
from tintype.domain.tariff import Price, Tariff, check_tariffs, price_for, quantity, read_price

DRAWN_FROM = {
    "prompt": TEXTS,
    "width": NUMBERS,
    "height": NUMBERS,
    "steps": NUMBERS,
    "guidance": NUMBERS,
    "seed": NUMBERS,
    "outputFormat": frozenset({SELECT}),
}
"""The parameters that every engine draws from, and the types they may have."""
WHOLE = frozenset({"width", "height", "steps", "seed"})
FORMATS = frozenset({"jpeg", "png"})
WORKFLOW = "workflow"
"""The category of models that are workflows of other models."""


class Model(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One model's page: names, texts, price, inputs and samples."""

    id: int
    owner: str
    project: str
    """Display slugs; may hold spaces and dots."""
    title: str
    description: str
    readme: str = ""
    cover: str = ""
    """The cover picture's file name in the `covers` folder beside the catalogue."""
    samples: tuple[str, ...] = ()
    """File names of sample pictures, likewise."""
    categories: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    cps: str
    """Dollars per second, decimal, at most 12 decimals."""
    dynamic_price: tuple[Tariff, ...] = ()
    """What a run costs by its inputs: the first tariff that fits counts, and where none does, `cps`."""
    only_projects: tuple[str, ...] = ()
    """Names of the projects that may see and run it; empty for everybody."""
    weights: str = ""
    """What draws it: a folder, also one beside the page, or a hub id; empty: the weights of the settings."""
    dtype: Dtype | None = None
    """The number format that it computes in; left out: that of the settings. So with the next two."""
    offload: Offload | None = None
    """What of it waits in main memory."""
    quantisation: Quantisation | None = None
    """In how many bits its weights are kept."""
    base: str = ""
    """`owner/project` of the model on whose weights `lora` lies; empty: it has weights of its own."""
    lora: str = ""
    """A file of LoRA weights; a relative path starts beside the page."""
    strength: float = 1.0
    """What the LoRA is multiplied by."""
    parameters: tuple[Group, ...]
    inspire: tuple[dict[str, str | int | float], ...] = ()
    """Sample inputs, parameter id to value."""

    @property
    def slug(self) -> str:
        """`owner/project`, clean: the model's name within Tintype."""
        return f"{clean_slug(self.owner)}/{clean_slug(self.project)}"

    def items(self) -> Iterator[Parameter]:
        """Every parameter of every group."""
        for group in self.parameters:
            yield from group.items

    def price_of(self, inputs: Mapping[str, Any]) -> Price:
        """What a run with these inputs will be charged by: checked, typed and complete with defaults."""
        pictures = sum(quantity(inputs[parameter.id]) for parameter in self.items() if parameter.is_file)
        return price_for(self.dynamic_price, inputs, cps=read_price(self.cps), pictures=pictures)

    def fitted(self, fixed: Fixed) -> Self:
        """The page of a model that leaves less open: where it says what is fixed itself, that counts."""
        values = fixed.given()

        def fit(item: Parameter) -> Parameter:
            return msgspec.structs.replace(item, fixed=values[item.id]) if item.id in open_ids else item

        open_ids = {item.id for item in self.items() if item.id in values and item.fixed is None}
        groups = (
            msgspec.structs.replace(group, items=tuple(map(fit, group.items))) for group in self.parameters
        )
        return msgspec.structs.replace(self, parameters=tuple(groups))

    def is_open_to(self, project: str | None) -> bool:
        """Whether the project of that name, or a caller without one, may see and run it."""
        return not self.only_projects or project in self.only_projects


def check_page(model: Model) -> None:
    """Whether the parts of a page fit together, and an engine can draw from it. Raises ValueError."""
    parameters = {parameter.id: parameter for parameter in model.items()}
    if len(parameters) < sum(1 for _ in model.items()):
        raise ValueError("two parameters have the same id")
    if model.id < 1:
        raise ValueError("the id must be 1 or more")
    for name in ("owner", "project"):
        slug = getattr(model, name)
        if not slug.strip() or slug != slug.strip() or "/" in slug:
            raise ValueError(f"{name} must be a name without slashes and outer spaces, not {slug!r}")
    read_price(model.cps)
    for name, types in DRAWN_FROM.items():
        _check_drawn(name, types, parameters.get(name))
    for sample in model.inspire:
        if unknown := sample.keys() - parameters.keys():
            raise ValueError(f"inspire names {', '.join(sorted(unknown))}, which the model does not have")
    check_tariffs(model.dynamic_price, parameters)
    _check_source(model)


def _check_drawn(name: str, types: frozenset[str], parameter: Parameter | None) -> None:
    if parameter is None or parameter.type not in types:
        raise ValueError(f"engines need a parameter [{name}] of the type {' or '.join(sorted(types))}")
    if parameter.default is None and not parameter.required:
        raise ValueError(f"parameter [{name}] needs a default, or required = true, for engines to draw from")
    if name in WHOLE and not parameter.is_whole:
        raise ValueError(f"parameter [{name}] needs integer = true")
    if name == "outputFormat" and not {option.value for option in parameter.options} <= FORMATS:
        raise ValueError(f"parameter [{name}] can offer only {' and '.join(sorted(FORMATS))}")


def _check_source(model: Model) -> None:
    if bool(model.base) != bool(model.lora):
        raise ValueError("base and lora go together; one of them is missing")
    if model.base and model.weights:
        raise ValueError("a model with a base has its weights from there, and none of its own")
    if model.base and (model.dtype or model.offload or model.quantisation):
        raise ValueError("dtype, offload and quantisation of a model with a base are those of its base")
    check_strength(model.strength)


def clean_slug(slug: str) -> str:
    """A slug as URLs carry it: spaces and dots become dashes."""
    return slug.replace(" ", "-").replace(".", "-")


class Catalogue:
    """All models, found by any spelling of their slugs that the wire allows.

    `folder` is where the pages lie, with covers and samples in `covers`.
    """

    def __init__(self, models: tuple[Model, ...], *, folder: Path = Path()) -> None:
        self.models = models
        self._folder = folder
        self._by_name: Mapping[tuple[str, str], Model] = {
            (form(model.owner).lower(), other(model.project).lower()): model
            for model in models
            for form in (str, clean_slug)
            for other in (str, clean_slug)
        }

    def fitted(self, fixed_of: Callable[[Model], Fixed]) -> Self:
        """The same pages, with the inputs fixed that what draws them leaves no choice in."""
        models = tuple(model.fitted(fixed_of(model)) for model in self.models)
        return type(self)(models, folder=self._folder)

    def find(self, owner: str, project: str) -> Model:
        """The model of a display or clean slug, percent-encoded or not, in any case.

        Raises UnknownModel.
        """
        name = unquote(owner).strip().lower(), unquote(project).strip().lower()
        try:
            return self._by_name[name]
        except KeyError:
            raise UnknownModel from None

    def __getitem__(self, slug: str) -> Model:
        owner, _, project = slug.partition("/")
        return self.find(owner, project)

    def page_of(self, slug: str) -> Model:
        """The model of a task, also when it is no longer on offer: then a bare page with the id 0."""
        try:
            return self[slug]
        except UnknownModel:
            owner, _, project = slug.partition("/")
            return Model(
                id=0, owner=owner, project=project, title=project, description="", cps="0", parameters=()
            )

    def source_of(self, slug: str) -> Source:
        """What draws the model of a task. Raises UnknownModel if it is no longer on offer."""
        model = self[slug]
        base = self[model.base] if model.base else model
        beside = self._folder / Path(base.weights).expanduser()
        return Source(
            weights=str(beside.absolute()) if base.weights and beside.is_dir() else base.weights,
            dtype=base.dtype,
            offload=base.offload,
            quantisation=base.quantisation,
            lora=str((self._folder / Path(model.lora).expanduser()).absolute()) if model.lora else "",
            strength=model.strength if model.lora else 1.0,
        )

    def picture(self, name: str) -> Path | None:
        """Where a cover or sample lies; None unless a model names it and it is there."""
        named = any(name == model.cover or name in model.samples for model in self.models)
        path = self._folder / "covers" / name
        return path if named and path.is_file() else None


def load_catalogue(folder: Path) -> Catalogue:
    """Reads every `*.toml` of the folder. Raises BadCatalogue with the file and the problem."""
    models: dict[str, Model] = {}
    paths: dict[str, Path] = {}
    for path in sorted(folder.glob("*.toml")):
        try:
            page: dict[str, Any] = tomllib.loads(path.read_text("utf-8"))
            model = msgspec.convert(page, Model)
            check_page(model)
        except (OSError, ValueError) as problem:
            raise BadCatalogue(path=path, problem=problem) from problem
        if model.slug.lower() in models:
            raise BadCatalogue(path=path, problem=f"{model.slug} is described twice")
        if any(other.id == model.id for other in models.values()):
            raise BadCatalogue(path=path, problem=f"another model has the id {model.id} already")
        models[model.slug.lower()] = model
        paths[model.slug] = path
    if not models:
        raise BadCatalogue(path=folder, problem="no model is described here (*.toml)")
    catalogue = Catalogue(tuple(models.values()), folder=folder)
    for model in catalogue.models:
        _check_base(catalogue, model, paths[model.slug])
    return catalogue


def _check_base(catalogue: Catalogue, model: Model, path: Path) -> None:
    if not model.base:
        return
    try:
        base = catalogue[model.base]
    except UnknownModel:
        raise BadCatalogue(path=path, problem=f"base {model.base!r} is no model of this catalogue") from None
    if base.lora:
        raise BadCatalogue(path=path, problem=f"base {model.base!r} has a base itself")
