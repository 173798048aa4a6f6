"""Who is asking: section 3 of the protocol, decided from the headers alone."""

import time
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from starlette.requests import Request

from tintype.domain.errors import (
    AddressNotAllowed,
    BadBearer,
    BadSignature,
    MissingCredentials,
    SignatureRequired,
    UnknownKey,
)
from tintype.domain.project import Auth, Project
from tintype.domain.signature import is_valid
from tintype.service import Service

LONGEST_KEY = 256
FRESH = 0.5
"""Seconds for which a project is remembered: callers poll, and changes must take effect."""
MOST_REMEMBERED = 1024


class Authenticator:
    """Turns the headers of a request into the project that sent it."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._remembered: dict[str, tuple[float, tuple[Project, tuple[str, ...]]]] = {}

    async def project(self, request: Request) -> Project:
        """The project that asks.

        Raises MissingCredentials, BadBearer, UnknownKey, SignatureRequired, BadSignature, AddressNotAllowed.
        """
        key = _header(request, "x-api-key")
        if not key:
            raise BadBearer if _has_bearer(request) else MissingCredentials
        found = await self._find(key)
        if found is None:
            # The same work as for a known key, so that time tells nothing about keys.
            is_valid(key=key, secret="", nonce="", header="0" * 64)
            raise UnknownKey
        project, secrets = found
        if project.auth is Auth.SIGNATURE:
            _check_signature(request, key, secrets)
        _check_address(request, project.allowed_addresses)
        return project

    async def project_if_any(self, request: Request) -> Project | None:
        """The project that asks, None if nobody says who asks; wrong credentials are refused."""
        if not _header(request, "x-api-key") and not _has_bearer(request):
            return None
        return await self.project(request)

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


def _header(request: Request, name: str) -> str:
    return request.headers.get(name, "").strip()


def _has_bearer(request: Request) -> bool:
    scheme, _, token = _header(request, "authorization").partition(" ")
    return scheme.lower() == "bearer" and bool(token.strip())


def _check_signature(request: Request, key: str, secrets: tuple[str, ...]) -> None:
    nonce, header = _header(request, "x-nonce"), _header(request, "x-signature")
    if not nonce or not header:
        raise SignatureRequired
    if not any(is_valid(key=key, secret=secret, nonce=nonce, header=header) for secret in secrets):
        raise BadSignature


def _check_address(request: Request, allowed: tuple[str, ...]) -> None:
    if not allowed:
        return
    host = request.client.host if request.client else ""
    if not _is_allowed(host, allowed):
        raise AddressNotAllowed(ip=host or "unknown")


@lru_cache(maxsize=1024)
def _is_allowed(host: str, allowed: tuple[str, ...]) -> bool:
    try:
        address = _plain(ip_address(host))
    except ValueError:
        return False
    return any(address in ip_network(network, strict=False) for network in allowed)


def _plain(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """An IPv4 address that arrives through an IPv6 socket is the IPv4 address."""
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped or address
