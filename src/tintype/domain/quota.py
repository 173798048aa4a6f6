"""How much callers may leave here for good."""

import msgspec

MIB = 2**20


class Quota(msgspec.Struct, frozen=True, kw_only=True):
    """What one project may keep as uploads, and one account as folders; 0 is no limit."""

    upload_bytes: int = 0
    uploads: int = 0
    """Files."""
    folders: int = 0


UNLIMITED = Quota()
