"""The tool endpoints: which models there are, and each model's page."""

import time
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from tintype.api.answers import answering, success
from tintype.api.auth import Authenticator
from tintype.api.bodies import BodyReader
from tintype.api.scalars import count, flag, text, texts
from tintype.api.tool_item import tool_item
from tintype.domain.catalogue import Model, clean_slug
from tintype.domain.errors import UnknownPath
from tintype.service import Service
from tintype.storage.statistics import Runs, runs_by_model

FRESH = 10.0
"""Seconds for which a count of all runs may be told again."""


class Tools:
    """Answers `/v1/Tool/…` and serves the pictures that tool items link to."""

    def __init__(self, service: Service, *, authenticator: Authenticator, bodies: BodyReader) -> None:
        self._service = service
        self._authenticator = authenticator
        self._bodies = bodies
        self._known: Mapping[str, Runs] = {}
        self._counted = -FRESH

    def routes(self) -> list[Route]:
        """The endpoints, and the pictures."""
        return [
            Route("/v1/Tool/List", answering(self.list_tools, total=0, tool=[]), methods=["POST"]),
            Route("/v1/Tool/Detail", answering(self.detail, tool=[]), methods=["POST"]),
            Route("/models/{name}", answering(self.picture)),
        ]

    async def list_tools(self, request: Request) -> Response:
        """One page of the models that fit."""
        parameters = await self._asked(request)
        fitting = [model for model in self._service.catalogue.models if fits(model, parameters)]
        fitting.sort(key=lambda model: model.id, reverse=text(parameters, "order").upper() == "DESC")
        start = count(parameters, "start", default=0, low=0)
        limit = count(parameters, "limit", default=20, low=1, high=100)
        items = [await self._item(model, parameters) for model in fitting[start : start + limit]]
        return success({"result": True, "errors": [], "total": len(fitting), "tool": items})

    async def detail(self, request: Request) -> Response:
        """One model's page."""
        parameters = await self._asked(request)
        model = self._service.catalogue.find(text(parameters, "slugowner"), text(parameters, "slugproject"))
        return success({"result": True, "errors": [], "tool": [await self._item(model, parameters)]})

    async def picture(self, request: Request) -> Response:
        """A cover or a sample."""
        path = self._service.catalogue.picture(request.path_params["name"])
        if path is None:
            raise UnknownPath
        return FileResponse(path, headers={"x-content-type-options": "nosniff"})

    async def _asked(self, request: Request) -> Mapping[str, Any]:
        await self._authenticator.project_if_any(request)
        return await self._bodies.parameters(request)

    async def _item(self, model: Model, parameters: Mapping[str, Any]) -> dict[str, Any]:
        runs = (await self._runs()).get(model.slug, Runs())
        return tool_item(model, runs, self._service.public_url, summary=flag(parameters, "summary"))

    async def _runs(self) -> Mapping[str, Runs]:
        """What the runs of each model have shown, at most `FRESH` seconds ago."""
        if time.monotonic() - self._counted > FRESH:
            self._counted = time.monotonic()
            self._known = await self._service.database.read(runs_by_model)
        return self._known


def fits(model: Model, wanted: Mapping[str, Any]) -> bool:
    """Whether a model passes the filters; an empty filter passes everything.

    Of several categories or tags one is enough; every word of a search must occur.
    """
    categories, tags = set(texts(wanted, "categories")), set(texts(wanted, "tags"))
    owner = text(wanted, "slugowner").strip().lower()
    about = " ".join((model.slug, model.title, model.description, *model.categories, *model.tags)).lower()
    return (
        (not categories or not categories.isdisjoint(model.categories))
        and (not tags or not tags.isdisjoint(model.tags))
        and (not owner or owner in (model.owner.lower(), clean_slug(model.owner).lower()))
        and all(word in about for word in text(wanted, "search").lower().split())
    )
