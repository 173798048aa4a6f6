"""The tool endpoints: which models there are, and each model's page."""

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from tintype.api.answers import answering, success
from tintype.api.auth import Authenticator
from tintype.api.bodies import BodyReader
from tintype.api.scalars import count, flag, text
from tintype.api.tool_item import ToolGroup, ToolItem, tool_item
from tintype.api.tool_search import Shelf, fits, in_order, shelves
from tintype.domain.catalogue import Model
from tintype.domain.errors import ModelNotAccessible, UnknownPath
from tintype.service import Service
from tintype.storage.statistics import Runs, runs_by_model

FRESH = 10.0
"""Seconds for which a count of all runs may be told again."""
SHOWN = 20
"""Models of one category that Tool/Explore shows; `total` says how many there are."""


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
            Route("/v1/Tool/Explore", answering(self.explore, explore=[]), methods=["POST"]),
            Route("/models/{name}", answering(self.picture)),
        ]

    async def list_tools(self, request: Request) -> Response:
        """One page of the models that fit."""
        async with self._asked(request) as (visible, parameters):
            fitting = in_order((model for model in visible if fits(model, parameters)), parameters)
            start = count(parameters, "start", default=0, low=0)
            limit = count(parameters, "limit", default=20, low=1, high=100)
            items = await self._items(fitting[start : start + limit], parameters)
        return success({"result": True, "errors": [], "total": len(fitting), "tool": items})

    async def detail(self, request: Request) -> Response:
        """One model's page."""
        async with self._asked(request) as (visible, parameters):
            model = self._service.catalogue.find(
                text(parameters, "slugowner"), text(parameters, "slugproject")
            )
            if model not in visible:
                raise ModelNotAccessible
            items = await self._items([model], parameters)
        return success({"result": True, "errors": [], "tool": items})

    async def explore(self, request: Request) -> Response:
        """All models, by category."""
        async with self._asked(request) as (visible, parameters):
            groups = [await self._group(shelf, parameters) for shelf in shelves(visible, await self._runs())]
        return success({"result": True, "errors": [], "explore": groups})

    async def picture(self, request: Request) -> Response:
        """A cover or a sample."""
        path = self._service.catalogue.picture(request.path_params["name"])
        if path is None:
            raise UnknownPath
        return FileResponse(path, headers={"x-content-type-options": "nosniff"})

    @asynccontextmanager
    async def _asked(self, request: Request) -> AsyncIterator[tuple[list[Model], Mapping[str, Any]]]:
        """The models that the caller may see, and the parameters."""
        project = await self._authenticator.project_if_any(request)
        name = project.name if project else None
        visible = [model for model in self._service.catalogue.models if model.is_open_to(name)]
        if project is not None:
            yield visible, await self._bodies.parameters(request)
            return
        async with self._bodies.strangers_parameters(request) as parameters:
            yield visible, parameters

    async def _items(self, models: Sequence[Model], parameters: Mapping[str, Any]) -> list[ToolItem]:
        runs, summary = await self._runs(), flag(parameters, "summary")
        return [
            tool_item(model, runs.get(model.slug, Runs()), self._service.public_url, summary=summary)
            for model in models
        ]

    async def _group(self, shelf: Shelf, parameters: Mapping[str, Any]) -> ToolGroup:
        return {
            "id": shelf.category,
            "title": shelf.title,
            "name": shelf.category,
            "total": len(shelf.models),
            "tools": await self._items(shelf.models[:SHOWN], parameters),
        }

    async def _runs(self) -> Mapping[str, Runs]:
        """What the runs of each model have shown, at most `FRESH` seconds ago."""
        if time.monotonic() - self._counted > FRESH:
            self._known = await self._service.database.read(runs_by_model)
            self._counted = time.monotonic()
        return self._known
