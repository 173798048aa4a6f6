"""The Run endpoint: a request for a picture becomes a task."""

import hashlib
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tintype.api.answers import LARGEST_ANSWER, answering, success
from tintype.api.auth import Authenticator
from tintype.api.bodies import BodyReader
from tintype.api.rates import RateLimits, telling_rates
from tintype.api.scalars import text
from tintype.domain.catalogue import Model
from tintype.domain.errors import MalformedRequest, ModelNotAccessible, NotPermitted, RequestTooLarge
from tintype.domain.file_inputs import file_parameters, list_names
from tintype.domain.money import dollars
from tintype.domain.part import with_parts
from tintype.domain.pricing import Quote
from tintype.domain.project import Project
from tintype.domain.rate import Limited
from tintype.service import Service

LARGEST_ECHO = LARGEST_ANSWER - 64 * 1024
"""Bytes of parameters and a callback URL that still fit into the task's own answers."""
LONGEST_ADDRESS = 1024
"""More characters than the address of a stored file has."""
LONGEST_ID = 18
LONGEST_KEY = 255


class Run:
    """Answers `/v1/Run/{owner}/{model}`."""

    def __init__(
        self, service: Service, *, authenticator: Authenticator, bodies: BodyReader, rates: RateLimits
    ) -> None:
        self._service = service
        self._rates = rates
        self._authenticator = authenticator
        self._bodies = bodies

    def routes(self) -> list[Route]:
        """Exactly two segments follow `Run`: `…/sync` is no model."""
        return [Route("/v1/Run/{owner}/{model}", telling_rates(answering(self.run)), methods=["POST"])]

    async def run(self, request: Request) -> Response:
        """Accepts a task, or says why not; with `?quote=1` says what it would cost instead."""
        project = await self._authenticator.project(request)
        await self._rates.spend(request, project, Limited.RUN)
        model = self._service.catalogue.find(request.path_params["owner"], request.path_params["model"])
        if not model.is_open_to(project.name):
            raise ModelNotAccessible
        async with self._bodies.parameters_with_files(
            request, file_parameters(model), lists=list_names(model)
        ) as parameters:
            return await self._submit(request, project, model, parameters)

    async def _submit(
        self, request: Request, project: Project, model: Model, parameters: dict[str, Any]
    ) -> Response:
        callback_url = _as_given(parameters.get("callbackUrl"))
        billed_project_id = _project_id(text(parameters, "projectid").strip())
        for name in ("callbackUrl", "projectid"):
            parameters.pop(name, None)
        echo = [with_parts(parameters, lambda part: " " * LONGEST_ADDRESS), callback_url]
        if len(msgspec.json.encode(echo)) > LARGEST_ECHO:
            raise RequestTooLarge
        if _is_quote(request):
            return _quoted(
                await self._service.quote(project, model, parameters, billed_project_id=billed_project_id)
            )
        task = await self._service.submit(
            project,
            model,
            parameters,
            callback_url=callback_url,
            billed_project_id=billed_project_id,
            idempotency_key=idempotency_key(request.headers.get("idempotency-key", "")),
        )
        accepted: dict[str, Any] = {"errors": [], "taskid": str(task.id), "socketaccesstoken": task.token}
        return success({**accepted, "result": True})


def _as_given(value: Any) -> str:
    """Whatever was sent as `callbackUrl`, as text; a list or an object as JSON: it is never an error."""
    if isinstance(value, list | dict):
        return msgspec.json.encode(value).decode()
    return text({"callbackUrl": value}, "callbackUrl")


def _is_quote(request: Request) -> bool:
    """Raises MalformedRequest for a `quote` that is neither on nor off: it must not start a run."""
    words = {word.lower() for word in request.query_params.getlist("quote")}
    if words <= {"", "0", "false"}:
        return False
    if words <= {"1", "true"}:
        return True
    raise MalformedRequest


def _quoted(quote: Quote) -> Response:
    told = {
        "elapsedseconds": f"{quote.elapsed:.4f}",
        "totalcost": dollars(quote.total_cost),
        "cps": dollars(quote.cps),
    }
    return success({"result": True, "errors": [], "quote": told})


def idempotency_key(header: str) -> str:
    """The key, bare or as a quoted string; of one beyond any sensible length, its digest."""
    key = header.strip()
    if len(key) >= 2 and key[0] == key[-1] == '"':
        key = key[1:-1].replace('\\"', '"').replace("\\\\", "\\")
    return key if len(key) <= LONGEST_KEY else hashlib.sha256(key.encode()).hexdigest()


def _project_id(given: str) -> int | None:
    """None if not set. What cannot be a project's id is nobody's. Raises NotPermitted."""
    if not given:
        return None
    if not (given.isascii() and given.isdigit()) or len(given) > LONGEST_ID:
        raise NotPermitted
    return int(given)
