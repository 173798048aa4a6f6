"""Who is asking: section 3 of the protocol, decided from the headers alone."""

import re
import time
from functools import lru_cache

import structlog
from starlette.requests import Request

from tintype.api import body_digest, request_signatures
from tintype.api.request_signatures import Unsigned
from tintype.domain.addresses import is_within, read_address, read_network
from tintype.domain.errors import (
    AddressNotAllowed,
    BadBearer,
    BadSignature,
    ExpiredBearer,
    MissingCredentials,
    SignatureRequired,
    Unauthenticated,
    UnknownKey,
)
from tintype.domain.project import Auth, Project, RequestSignature
from tintype.domain.signature import is_valid
from tintype.service import Service

LONGEST_KEY = 256
FRESH = 0.5
"""Seconds for which a project is remembered: callers poll, and changes must take effect."""
MOST_REMEMBERED = 1024
NONCE_WINDOW = 300.0
"""Seconds by which the time in a signature may differ from ours."""

_TIMESTAMP = re.compile(r"[1-9][0-9]{9,15}", re.ASCII)

log = structlog.get_logger(__name__)


class Authenticator:
    """Turns the headers of a request into the project that sent it."""

    def __init__(self, service: Service, *, nonce_window: float = NONCE_WINDOW) -> None:
        self._service = service
        self._window = nonce_window
        self._remembered: dict[str, tuple[float, tuple[Project, tuple[str, ...]]]] = {}

    async def project(self, request: Request) -> Project:
        """The project that asks.

        Raises MissingCredentials, BadBearer, ExpiredBearer, UnknownKey, SignatureRequired, BadSignature,
        AddressNotAllowed. Where the whole request is signed, whoever reads the body to its end gets
        BadSignature too.
        """
        key = _header(request, "x-api-key")
        if not key:
            raise await self._without_key(_bearer(request))
        found = await self._find(key)
        if found is None:
            # The same work as for a known key, so that time tells nothing about keys.
            is_valid(key=key, secret="", nonce="", header="0" * 64)
            raise UnknownKey
        project, secrets = found
        spent = None
        if project.auth is Auth.SIGNATURE:
            spent = self._check_signature(request, project, key, secrets)
        _check_address(request, project.allowed_addresses)
        if spent is not None:
            await self._spend(project, *spent)
        return project

    async def project_if_any(self, request: Request) -> Project | None:
        """The project that asks, None if nobody says who asks; wrong credentials are refused."""
        if not _header(request, "x-api-key") and not _bearer(request):
            return None
        return await self.project(request)

    async def _without_key(self, bearer: str) -> Unauthenticated:
        """Why nobody is let in without a key. A session is for the pages: it names no project."""
        if not bearer:
            return MissingCredentials()
        try:
            await self._service.accounts.account_of_session(bearer)
        except (BadBearer, ExpiredBearer) as problem:
            return problem
        return BadBearer()

    async def _find(self, key: str) -> tuple[Project, tuple[str, ...]] | None:
        """The project of a key, with the secrets that go with it."""
        moment = time.monotonic()
        since, remembered = self._remembered.get(key, (-FRESH, None))
        if remembered and moment - since < FRESH:
            return remembered
        found = await self._service.project_of(key) if len(key) <= LONGEST_KEY else None
        if found:
            if len(self._remembered) >= MOST_REMEMBERED:
                self._remembered.clear()
            self._remembered[key] = moment, found
        return found

    def _check_signature(
        self, request: Request, project: Project, key: str, secrets: tuple[str, ...]
    ) -> tuple[str, float] | None:
        """The nonce that counts once and its time in seconds; None where nonces may come again."""
        asked = project.request_signature
        if asked is RequestSignature.REQUIRED or (
            asked is RequestSignature.ACCEPTED and request_signatures.is_signed(request)
        ):
            return self._check_request_signature(request, project, key, secrets)
        nonce, header = _header(request, "x-nonce"), _header(request, "x-signature")
        if not nonce or not header:
            raise SignatureRequired
        if not any(is_valid(key=key, secret=secret, nonce=nonce, header=header) for secret in secrets):
            raise BadSignature
        if not project.strict:
            return None
        return f"nonce {nonce}", self._time_of(project, nonce)

    def _check_request_signature(
        self, request: Request, project: Project, key: str, secrets: tuple[str, ...]
    ) -> tuple[str, float]:
        try:
            signed = request_signatures.verify(
                request,
                public_url=self._service.public_url,
                key=key,
                secrets=secrets,
                now=time.time(),
                window=self._window,
            )
        except Unsigned as problem:
            raise _refused(project, str(problem)) from None
        body_digest.promise(request.scope, signed.body_sha256)
        return f"signed {signed.nonce}", signed.created

    def _time_of(self, project: Project, nonce: str) -> float:
        """The time that a nonce is, in seconds or milliseconds. Raises BadSignature for no or a stale one."""
        if _TIMESTAMP.fullmatch(nonce):
            for seconds in (float(nonce), int(nonce) / 1000):
                if abs(time.time() - seconds) <= self._window:
                    return seconds
        raise _refused(project, f"the nonce is not a time within {self._window:g} s of now")

    async def _spend(self, project: Project, nonce: str, made: float) -> None:
        """Raises BadSignature if the nonce was seen.

        It is remembered for longer than it would count, since the clocks of several servers may differ.
        """
        if not await self._service.spend_nonce(project, nonce, expires=made + 2 * self._window):
            raise _refused(project, "the nonce was seen before")


def _refused(project: Project, reason: str) -> BadSignature:
    """The caller is told nothing more; whoever runs the service finds the reason in its log."""
    log.info("signature_refused", project=project.id, reason=reason[:200])
    return BadSignature()


def _header(request: Request, name: str) -> str:
    """The header's value; of several the list that HTTP says they are, so that no two readers differ."""
    return ", ".join(value for value in map(str.strip, request.headers.getlist(name)) if value)


def _bearer(request: Request) -> str:
    scheme, _, token = _header(request, "authorization").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _check_address(request: Request, allowed: tuple[str, ...]) -> None:
    if not allowed:
        return
    host = request.client.host if request.client else ""
    if not _is_allowed(host, allowed):
        raise AddressNotAllowed(ip=host or "unknown")


@lru_cache(maxsize=1024)
def _is_allowed(host: str, allowed: tuple[str, ...]) -> bool:
    address = read_address(host)
    return address is not None and is_within(address, map(read_network, allowed))
