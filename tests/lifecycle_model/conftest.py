"""The databases of the conformance suites."""

from conformance.conftest import migrated_postgres, postgres

__all__ = ["migrated_postgres", "postgres"]
