"""Accounts, and who is signed in."""

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Column, ForeignKey, Integer, Table, Text, text

from tintype.domain.money import MOST_MONEY
from tintype.storage.columns import Id, Moment
from tintype.storage.tables.schema import metadata

accounts = Table(
    "accounts",
    metadata,
    Column("id", Id, primary_key=True),
    Column("uuid", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False, unique=True),
    Column("suspended", Boolean, nullable=False),
    Column("create_time", Moment, nullable=False),
    Column("email", Text, unique=True),
    Column("password_hash", Text),
    Column("balance", BigInteger, nullable=False, server_default=text("0")),
    Column("reserved", BigInteger, nullable=False, server_default=text("0")),
    CheckConstraint(f"0 <= reserved AND reserved <= balance AND balance <= {MOST_MONEY}", name="balance"),
)
"""The balance is the sum of the account's ledger, `reserved` that of its reservations; picodollars."""

sessions = Table(
    "sessions",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=False, index=True),
    Column("create_time", Moment, nullable=False),
    Column("expire_time", Moment, nullable=False, index=True),
)
"""Who is signed in: the SHA-256 of each session's token, never the token."""

sign_in_failures = Table(
    "sign_in_failures",
    metadata,
    Column("name", Text, primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("since_time", Moment, nullable=False, index=True),
    CheckConstraint("failures > 0", name="failures"),
)
"""How often signing in has failed lately, by a digest of who tried."""
