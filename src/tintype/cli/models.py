"""`tintype models`: what is on offer, by the catalogue of the settings, and what of it is in memory."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from tintype.cli.refusals import Stop

if TYPE_CHECKING:
    from tintype.domain.catalogue import Catalogue, Model
    from tintype.domain.parameter import Parameter
    from tintype.engine.protocol import Shelved

app = typer.Typer(no_args_is_help=True, help="Look at the models on offer, by the catalogue of the settings.")

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("list")
def list_models(as_json: Json = False) -> None:
    """List the models."""
    models = _catalogue().models
    if as_json:
        _print_json([_page(model) for model in models])
        return
    for model in models:
        typer.echo(f"{model.id:<8} {model.slug:<44} {model.title}")


@app.command()
def show(
    model: Annotated[str, typer.Argument(metavar="OWNER/MODEL", help="The model.")],
    as_json: Json = False,
) -> None:
    """Show one model with its inputs."""
    page = page_of(_catalogue(), model)
    if as_json:
        _print_json(_page(page))
        return
    for name, value in _about(page).items():
        if value:
            typer.echo(f"{name + ':':<12} {value}")
    for group in page.parameters:
        typer.echo(f"\n{group.title}")
        for parameter in group.items:
            typer.echo(f"  {parameter.id:<18} {parameter.type:<16} {_accepted(parameter)}".rstrip())


@app.command()
def status(as_json: Json = False) -> None:
    """Show which models are in memory, on the workers of this data folder."""
    from tintype.bootstrap.catalogue import sources_of
    from tintype.settings import read_settings
    from tintype.worker.standing import read_standings

    settings, catalogue = read_settings(), _catalogue()
    workers = read_standings(settings.data / "workers")
    if not workers:
        raise Stop(f"no worker runs on {settings.data}")
    source_of = sources_of(settings, catalogue)
    rows = [
        {"worker": worker, "model": model.slug, **_standing(known.get(source_of(model.slug)))}
        for worker, standing in workers.items()
        for known in [{each.source: each for each in standing}]
        for model in catalogue.models
    ]
    if as_json:
        _print_json(rows)
        return
    for row in rows:
        size = f"{row['bytes'] / 2**20:.1f} MiB" if row["state"] == "loaded" else row["problem"]
        typer.echo(f"{row['model']:<44} {row['state']:<12} {size}".rstrip())


def page_of(catalogue: "Catalogue", model: str) -> "Model":
    """Raises Stop with the models that there are."""
    from tintype.domain.errors import UnknownModel

    try:
        return catalogue[model]
    except UnknownModel:
        known = ", ".join(each.slug for each in catalogue.models)
        raise Stop(f"{model!r} is no model here; there is {known}") from None


def _standing(model: "Shelved | None") -> dict[str, Any]:
    """Where a model stands; one that nobody has asked for was not loaded yet."""
    if model is None:
        return {"state": "not loaded", "bytes": 0, "problem": ""}
    return {"state": model.state, "bytes": model.bytes, "problem": model.problem}


def _catalogue() -> "Catalogue":
    from tintype.domain.catalogue import load_catalogue
    from tintype.settings import read_settings

    return load_catalogue(read_settings().catalogue)


def _about(model: "Model") -> dict[str, str]:
    prices = [
        f"${tariff.price} {tariff.method} {_conditions(tariff.inputs)}" for tariff in model.dynamic_price
    ]
    return {
        "model": model.slug,
        "id": str(model.id),
        "title": model.title,
        "description": model.description,
        "categories": ", ".join(model.categories),
        "tags": ", ".join(model.tags),
        "only for": ", ".join(model.only_projects),
        "price": "\n             ".join([*map(str.rstrip, prices), f"${model.cps} cps"]),
    }


def _conditions(inputs: dict[str, str]) -> str:
    return ", ".join(f"{name} = {value}" for name, value in inputs.items())


def _accepted(parameter: "Parameter") -> str:
    """What an input accepts, in a few words."""
    words = ["required"] if parameter.required else []
    if parameter.fixed is not None:
        words.append(f"always {parameter.fixed:g}")
    elif parameter.default is not None:
        words.append(f"default {parameter.default}")
    if parameter.min is not None and parameter.max is not None:
        words.append(f"{parameter.min} to {parameter.max}")
    if parameter.multiple_of is not None:
        words.append(f"multiple of {parameter.multiple_of}")
    if parameter.options:
        words.append(" | ".join(option.value for option in parameter.options))
    return ", ".join(words)


def _page(model: "Model") -> dict[str, Any]:
    """The page as its file describes it."""
    import msgspec

    page: dict[str, Any] = msgspec.to_builtins(model)
    return page


def _print_json(value: object) -> None:
    import msgspec

    typer.echo(msgspec.json.encode(value).decode())
