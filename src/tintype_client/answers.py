"""From an answer to a typed result, or to the error it stands for."""

from typing import TypeVar

import msgspec

from tintype_client.errors import Problem, Refused, ServerFault, TooManyRequests, Unauthorized
from tintype_client.exchange import Answer

T = TypeVar("T")

_DEFAULT_RETRY_AFTER = 1.0


class _Envelope(msgspec.Struct):
    """What every answer has in common."""

    result: bool
    errors: tuple[Problem, ...] = ()


def read(answer: Answer, kind: type[T]) -> T:
    """The answer as a `kind`. Raises Refused (or a subclass) or ServerFault."""
    envelope = _decode(answer, _Envelope)
    if envelope.result and answer.status == 200:
        return _decode(answer, kind)
    raise _refusal(answer, envelope.errors)


def _refusal(answer: Answer, problems: tuple[Problem, ...]) -> Exception:
    if answer.status == 401:
        return Unauthorized(problems, http_status=401)
    if answer.status == 429:
        return TooManyRequests(problems, http_status=429, retry_after=_retry_after(answer))
    if answer.status >= 500:
        return ServerFault(f"{_words(problems)} (HTTP {answer.status})", http_status=answer.status)
    return Refused(problems, http_status=answer.status)


def _words(problems: tuple[Problem, ...]) -> str:
    return "; ".join(problem.message for problem in problems) or "the server failed"


def _retry_after(answer: Answer) -> float:
    text = answer.headers.get("retry-after", "")
    return float(text) if text.isascii() and text.isdigit() else _DEFAULT_RETRY_AFTER


def _decode(answer: Answer, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(answer.body, type=kind, strict=False)
    except (msgspec.MsgspecError, UnicodeDecodeError) as problem:
        raise ServerFault(
            f"the answer is not one of Tintype's (HTTP {answer.status}); is the address right?",
            http_status=answer.status,
        ) from problem
