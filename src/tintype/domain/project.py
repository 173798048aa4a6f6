"""Accounts and projects: who asks, by which proof, within which limits."""

from enum import StrEnum

import msgspec

from tintype.domain.priority import Priority


class Auth(StrEnum):
    """How a project proves who it is."""

    KEY = "key"
    """The API key alone."""
    SIGNATURE = "signature"
    """The API key and a signature made with the secret."""


class RequestSignature(StrEnum):
    """Whether a signature project signs whole requests (RFC 9421)."""

    OFF = "off"
    """Such a signature is not looked at."""
    ACCEPTED = "accepted"
    """It counts where there is one; else nonce and signature do."""
    REQUIRED = "required"
    """Nothing else counts."""


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """The owner of projects."""

    id: int
    uuid: str
    name: str
    suspended: bool
    email: str | None = None


class Project(msgspec.Struct, frozen=True, kw_only=True):
    """A caller of the API. Its secret is not part of it: `storage.projects.secret_of` opens that."""

    id: int
    account: Account
    name: str
    auth: Auth
    key: str
    allowed_addresses: tuple[str, ...]
    """IP addresses and networks in CIDR form; empty allows every address."""
    max_concurrent: int | None
    """How many of its tasks may be unfinished at once; None is no limit."""
    weight: float
    """Its part of the compute where projects compete."""
    created: int
    """Microseconds since the epoch."""
    suspended: bool = False
    """Whether it may submit nothing; it still sees its tasks."""
    strict: bool = False
    """Whether each nonce must be a recent time and counts once; of signature projects alone."""
    request_signature: RequestSignature = RequestSignature.OFF
    """Always off for projects that do not sign."""
    rate_run: str | None = None
    """How often it may Run, as `domain.rate` reads it; None is the rate of the settings."""
    rate_upload: str | None = None
    """How often it may upload a file, likewise."""
    priority: Priority = Priority.NORMAL
    """Which class its tasks compete in."""
