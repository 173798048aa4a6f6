"""The models on offer. One TOML file in `tintype/models` is one model's page, as data."""

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import msgspec

from tintype.domain.errors import BadCatalogue, UnknownModel


class Option(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One choice of a select."""

    value: str
    label: str


class Parameter(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One input of a model: how it is shown and what it accepts."""

    id: str
    type: str
    label: str
    note: str = ""
    default: str | int | float | None = None
    required: bool = False
    options: tuple[Option, ...] = ()
    min: int | float | None = None
    max: int | float | None = None
    step: int | float | None = None
    integer: bool = False
    multiple_of: int | None = None
    zero_is_unset: bool = False
    advanced: bool = False


class Group(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters shown together."""

    title: str
    items: tuple[Parameter, ...]


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
    parameters: tuple[Group, ...]
    inspire: tuple[dict[str, str], ...] = ()
    """Sample inputs, parameter id to value."""

    @property
    def slug(self) -> str:
        """`owner/project`, clean: the model's name within Tintype."""
        return f"{clean_slug(self.owner)}/{clean_slug(self.project)}"

    def items(self) -> Iterator[Parameter]:
        """Every parameter of every group."""
        for group in self.parameters:
            yield from group.items


def clean_slug(slug: str) -> str:
    """A slug as URLs carry it: spaces and dots become dashes."""
    return slug.replace(" ", "-").replace(".", "-")


class Catalogue:
    """All models, found by any spelling of their slugs that the wire allows.

    `pictures` is the folder of covers and samples.
    """

    def __init__(self, models: tuple[Model, ...], *, pictures: Path = Path("covers")) -> None:
        self.models = models
        self._pictures = pictures
        self._by_name: Mapping[tuple[str, str], Model] = {
            (form(model.owner).lower(), other(model.project).lower()): model
            for model in models
            for form in (str, clean_slug)
            for other in (str, clean_slug)
        }

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

    def picture(self, name: str) -> Path | None:
        """Where a cover or sample lies; None unless a model names it and it is there."""
        named = any(name == model.cover or name in model.samples for model in self.models)
        path = self._pictures / name
        return path if named and path.is_file() else None


def load_catalogue(folder: Path) -> Catalogue:
    """Reads every `*.toml` of the folder. Raises BadCatalogue with the file and the problem."""
    models: dict[str, Model] = {}
    for path in sorted(folder.glob("*.toml")):
        try:
            page: dict[str, Any] = tomllib.loads(path.read_text("utf-8"))
            model = msgspec.convert(page, Model)
        except (OSError, ValueError) as problem:
            raise BadCatalogue(path=path, problem=problem) from problem
        if models.setdefault(model.slug.lower(), model) is not model:
            raise BadCatalogue(path=path, problem=f"{model.slug} is described twice")
    if not models:
        raise BadCatalogue(path=folder, problem="no model is described here (*.toml)")
    return Catalogue(tuple(models.values()), pictures=folder / "covers")
