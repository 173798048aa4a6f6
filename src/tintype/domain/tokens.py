"""Unguessable names: task tokens, access keys, API keys and secrets, file ids."""

import base64
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


def new_callback_secret() -> str:
    """`whsec_` and 32 random bytes in base64: what signs a project's callbacks."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
