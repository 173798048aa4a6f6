"""Everything that can be refused. An error's docstring, filled with its fields, is its message.

The messages are part of the wire protocol, spelling mistakes included. What HTTP makes of an error is
decided in `tintype.api.answers` alone.
"""

from typing import Any


class TintypeError(Exception):
    """Something was refused."""

    def __init__(self, **fields: Any) -> None:
        self.fields = fields
        super().__init__((type(self).__doc__ or "").format(**fields))


# Who is asking


class Unauthenticated(TintypeError):
    """The caller is not known."""


class MissingCredentials(Unauthenticated):
    """Authorization bearer token is not founded in headers."""


class BadBearer(Unauthenticated):
    """Authorization bearer token is invalid."""


class ExpiredBearer(Unauthenticated):
    """Authorization bearer token expired."""


class UnknownKey(Unauthenticated):
    """Project authorization is not founded."""


class SignatureRequired(Unauthenticated):
    """Project requires signature authentication. x-signature and x-nonce headers are required."""


class BadSignature(Unauthenticated):
    """Project authorization is not valid."""


class AddressNotAllowed(Unauthenticated):
    """Requested ip {ip} is not allowed."""


class BadPassword(Unauthenticated):
    """E-mail address or password is wrong."""


# What is asked


class MalformedRequest(TintypeError):
    """Request parameters are invalid."""


class RequestTooLarge(TintypeError):
    """Request body is too large."""


class InvalidInputs(TintypeError):
    """{summary}"""

    def __init__(self, *messages: str) -> None:
        self.messages = messages
        super().__init__(summary="; ".join(messages))


class FileRequired(TintypeError):
    """Request files [{name}] required"""


class FileNotAccepted(TintypeError):
    """Request file [{name}] is of no accepted type. Accepted are {accepted}."""


class NotPermitted(TintypeError):
    """You don't have any permission for this action."""


class AccountSuspended(TintypeError):
    """Your account has been suspended. Please contact support if you believe this is a mistake."""


class ProjectSuspended(TintypeError):
    """Your project has been suspended. Please contact support if you believe this is a mistake."""


class UploadLimit(TintypeError):
    """You have reached your upload limit of {limit}."""


class FolderLimit(TintypeError):
    """You have reached your folder limit of {limit}."""


class IdempotencyConflict(TintypeError):
    """Idempotency-Key was already used with a different request."""


class TooManyRequests(TintypeError):
    """Too many requests."""

    @property
    def retry_after(self) -> int:
        """Whole seconds until the same request may pass."""
        return int(self.fields["retry_after"])


# How it arrives


class MalformedHttp(TintypeError):
    """Request is not valid HTTP."""


class BadHandshake(TintypeError):
    """Request cannot open a WebSocket: {problem}."""


class HeadersTooLarge(TintypeError):
    """Request headers are too large."""


class RequestTooSlow(TintypeError):
    """Request was not received in time."""


# Models


class UnknownModel(TintypeError):
    """slug-owner-project-not-exist"""


class ModelNotAccessible(TintypeError):
    """tool-not-accessible"""


# Limits and money


class ProjectConcurrencyLimit(TintypeError):
    """You have reached your concurrent task limit of {limit}."""


class BalanceConcurrencyLimit(TintypeError):
    """You have reached your concurrent task limit. With your current balance of ${balance}, \
you can run up to {limit} tasks at the same time. Add funds to increase your limit."""


class InsufficientBalance(TintypeError):
    """Insufficient balance"""


class UnfitAmount(TintypeError):
    """{problem}"""


# Tasks and files


class UnknownTask(TintypeError):
    """There is no task yet."""


class TaskNotNamed(TintypeError):
    """taskid or socketaccesstoken is required"""


class NotCancellable(TintypeError):
    """Task is not in a cancellable state."""


class NotKillable(TintypeError):
    """Task could not be killed: {reason}"""


class UnknownTaskOfFiles(TintypeError):
    """task-not-exist"""


class TaskNotTerminal(TintypeError):
    """Task must be completed or cancelled before deleting files"""


class UnknownFile(TintypeError):
    """File not found."""


class UnknownPath(TintypeError):
    """Error parsing url."""


# Servers that a caller names


class OutboundError(TintypeError):
    """Another server was not asked, or gave nothing of use."""


class NoWebAddress(OutboundError):
    """{url} is not an absolute http(s) URL."""


class AddressRefused(OutboundError):
    """{host} is not at a public address."""


class Unreachable(OutboundError):
    """{host} cannot be reached: {problem}."""


class TooSlow(OutboundError):
    """{host} took longer than {seconds} s."""


class TooLarge(OutboundError):
    """{host} sends more than {largest} bytes."""


class UnusableAnswer(OutboundError):
    """{host} answered with {problem}."""


class UnfitAccount(TintypeError):
    """account {name}: {problem}"""


class UnfitProject(TintypeError):
    """project {name}: {problem}"""


# Operating the service


class BadSetting(TintypeError):
    """{name}: {problem}"""


class BadCatalogue(TintypeError):
    """{path}: {problem}"""


class BadCheckpoint(TintypeError):
    """{path}: {problem}"""


class BadTerms(TintypeError):
    """{path}: {problem}"""


class BadModeration(TintypeError):
    """{text!r} is no moderation policy; right are default, off, a greatest tolerance from 0 to 6, \
or such for single gates: prompt=off,input=2,image=6"""


class BadAcceleration(TintypeError):
    """{text!r} is no acceleration; right are auto, off, or such for single parts: \
attention=native,compile=auto,graphs=off,fused=on,fp8=on"""


class LeaseLost(TintypeError):
    """Task {task_id} is no longer leased to {worker} (attempt {attempt})."""
