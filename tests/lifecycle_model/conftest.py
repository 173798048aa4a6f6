"""The databases of the conformance suites."""

from conformance.conftest import migrated_postgres, migrated_sqlite, postgres

__all__ = ["migrated_postgres", "migrated_sqlite", "postgres"]
