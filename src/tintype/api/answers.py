"""What the wire answers: success, refusal, fault. Errors become HTTP here and nowhere else."""

import traceback
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

import msgspec
import structlog
from starlette.requests import Request
from starlette.responses import Response

from tintype.domain import errors
from tintype.domain.errors import InvalidInputs, TintypeError, TooManyRequests

JSON = "application/json; charset=utf-8"
LARGEST_ANSWER = 16 * 2**20
"""Every JSON answer has fewer bytes."""
FAULT = "Internal server error."

Handler = Callable[[Request], Awaitable[Response]]

log = structlog.get_logger(__name__)


class Answer(NamedTuple):
    """How one kind of refusal looks on the wire."""

    status: int
    code: int


ANSWERS: Mapping[type[TintypeError], Answer] = {
    errors.MissingCredentials: Answer(401, 99),
    errors.BadBearer: Answer(401, 99),
    errors.ExpiredBearer: Answer(401, 99),
    errors.UnknownKey: Answer(401, 0),
    errors.SignatureRequired: Answer(401, 0),
    errors.BadSignature: Answer(401, 0),
    errors.AddressNotAllowed: Answer(401, 0),
    errors.BadPassword: Answer(401, 0),
    errors.MalformedRequest: Answer(200, 0),
    errors.RequestTooLarge: Answer(413, 0),
    errors.InvalidInputs: Answer(200, 0),
    errors.FileRequired: Answer(200, 0),
    errors.FileNotAccepted: Answer(200, 0),
    errors.NotPermitted: Answer(200, 0),
    errors.AccountSuspended: Answer(200, 0),
    errors.ProjectSuspended: Answer(200, 0),
    errors.UploadLimit: Answer(200, 0),
    errors.FolderLimit: Answer(200, 0),
    errors.IdempotencyConflict: Answer(200, 0),
    errors.TooManyRequests: Answer(429, 0),
    errors.MalformedHttp: Answer(400, 0),
    errors.BadHandshake: Answer(400, 0),
    errors.HeadersTooLarge: Answer(431, 0),
    errors.RequestTooSlow: Answer(408, 0),
    errors.UnknownModel: Answer(200, 1),
    errors.ModelNotAccessible: Answer(200, 1),
    errors.ProjectConcurrencyLimit: Answer(200, 96),
    errors.BalanceConcurrencyLimit: Answer(200, 96),
    errors.InsufficientBalance: Answer(200, 97),
    errors.UnfitAmount: Answer(200, 0),
    errors.UnfitAccount: Answer(200, 0),
    errors.UnfitProject: Answer(200, 0),
    errors.UnknownTask: Answer(200, 1),
    errors.TaskNotNamed: Answer(200, 0),
    errors.NotCancellable: Answer(200, 1),
    errors.NotKillable: Answer(200, 1),
    errors.UnknownTaskOfFiles: Answer(200, 1),
    errors.TaskNotTerminal: Answer(200, 0),
    errors.UnknownFile: Answer(404, 1),
    errors.UnknownPath: Answer(404, 0),
    errors.NoWebAddress: Answer(200, 0),
    errors.AddressRefused: Answer(200, 0),
    errors.Unreachable: Answer(200, 0),
    errors.TooSlow: Answer(200, 0),
    errors.TooLarge: Answer(200, 0),
    errors.UnusableAnswer: Answer(200, 0),
    errors.BadSetting: Answer(500, 0),
    errors.BadCatalogue: Answer(500, 0),
    errors.BadCheckpoint: Answer(500, 0),
    errors.BadTerms: Answer(500, 0),
    errors.BadModeration: Answer(500, 0),
    errors.BadAcceleration: Answer(500, 0),
    errors.LeaseLost: Answer(500, 0),
}


def success(content: Mapping[str, Any]) -> Response:
    """HTTP 200 with exactly this object."""
    return _json(content, 200)


def refusal(error: TintypeError, empty: Mapping[str, Any] | None = None) -> Response:
    """The answer to a request that was refused; `empty` are the endpoint's own fields, void."""
    status, code = ANSWERS[type(error)]
    if status == 500:
        return fault(empty)
    messages = error.messages if isinstance(error, InvalidInputs) else (str(error),)
    response = _json(_envelope(code, messages, empty), status)
    if isinstance(error, TooManyRequests):
        response.headers["retry-after"] = str(error.retry_after)
    return response


def fault(empty: Mapping[str, Any] | None = None) -> Response:
    """The answer when the server is at fault: nothing of what happened inside."""
    return _json(_envelope(0, (FAULT,), empty), 500)


def answering(handler: Handler, **empty: Any) -> Handler:
    """The handler, with whatever it raises turned into an answer. `empty`: see `refusal`."""

    async def answered(request: Request) -> Response:
        try:
            return await handler(request)
        except TintypeError as error:
            if ANSWERS[type(error)].status == 500:
                _report(handler, error)
            return refusal(error, empty)
        except Exception as error:
            _report(handler, error)
            return fault(empty)

    return answered


def _report(handler: Handler, error: Exception) -> None:
    """Logs where and why, without the values at hand: they may be keys, secrets and prompts."""
    log.error(
        "request_failed",
        endpoint=handler.__qualname__,
        error=type(error).__name__,
        reason=str(getattr(error, "orig", error)),  # a database's own words, without the parameters
        trace="".join(traceback.format_tb(error.__traceback__)),
    )


def _envelope(code: int, messages: tuple[str, ...], empty: Mapping[str, Any] | None) -> dict[str, Any]:
    refused = [{"code": code, "message": message} for message in messages]
    return {**(empty or {}), "errors": refused, "result": False}


def _json(content: Mapping[str, Any], status: int) -> Response:
    return Response(msgspec.json.encode(content), status, headers={"content-type": JSON})
