"""Unguessable names: task tokens, access keys, API keys and secrets, file ids."""

import secrets
import string

ALPHABET = string.ascii_letters + string.digits
TOKEN_LENGTH = 30


def new_token(length: int = TOKEN_LENGTH) -> str:
    """A random `[A-Za-z0-9]{length}` with at least one letter, so that it never reads as a task id."""
    while True:
        token = "".join(secrets.choice(ALPHABET) for _ in range(length))
        if not token.isdigit():
            return token


def new_file_id() -> str:
    """32 random hex digits."""
    return secrets.token_hex(16)
