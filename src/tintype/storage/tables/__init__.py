"""The tables. Their constraints repeat the lifecycle, so that an impossible row cannot be written."""

from tintype.storage.tables.account import accounts, sessions, sign_in_failures
from tintype.storage.tables.callback import HAS_ENDED, IS_DUE, callback_attempts, callback_secrets, callbacks
from tintype.storage.tables.file import IS_UPLOAD, files, folders, loose_objects
from tintype.storage.tables.money import IS_RUN, ledger, reservations
from tintype.storage.tables.project import (
    idempotency,
    moderation,
    nonces,
    projects,
    rate_buckets,
    retired_credentials,
)
from tintype.storage.tables.schema import metadata, one_of
from tintype.storage.tables.task import (
    IS_LEASED,
    IS_QUEUED,
    IS_UNFINISHED,
    MOMENTS,
    runs,
    shares,
    tasks,
    workers,
)

__all__ = [
    "HAS_ENDED",
    "IS_DUE",
    "IS_LEASED",
    "IS_QUEUED",
    "IS_RUN",
    "IS_UNFINISHED",
    "IS_UPLOAD",
    "MOMENTS",
    "accounts",
    "callback_attempts",
    "callback_secrets",
    "callbacks",
    "files",
    "folders",
    "idempotency",
    "ledger",
    "loose_objects",
    "metadata",
    "moderation",
    "nonces",
    "one_of",
    "projects",
    "rate_buckets",
    "reservations",
    "retired_credentials",
    "runs",
    "sessions",
    "shares",
    "sign_in_failures",
    "tasks",
    "workers",
]
