"""Column types that mean the same on SQLite and PostgreSQL."""

import json
from typing import Any

from sqlalchemy import BigInteger, Dialect, Integer, Text, TypeDecorator

Id = BigInteger().with_variant(Integer(), "sqlite")
"""A 64-bit key; SQLite numbers rows by itself only where the type is INTEGER."""

Moment = BigInteger
"""Microseconds since the epoch; 0 where it has not happened."""

LARGEST = 2**63 - 1
"""The largest integer that either database holds."""


class Json(TypeDecorator[Any]):
    """Any JSON value as ASCII text: keeps every string exactly, also those no database takes as text."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str:
        """JSON text of the value."""
        return json.dumps(value, separators=(",", ":"))

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        """The value of the JSON text."""
        return None if value is None else json.loads(value)


class Words(TypeDecorator[str]):
    """Text for people; what PostgreSQL cannot hold (NUL, half a character) becomes a replacement sign."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str:
        """The text without what cannot be stored."""
        return storable(value or "")


def storable(text: str) -> str:
    """The text as both databases can hold it."""
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode("utf-8")
