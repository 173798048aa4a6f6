"""The vault: secrets sealed with AES-GCM before they are stored, each bound to what it belongs to."""

import base64
import binascii
import os
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tintype.domain.errors import BadSetting

KEY_BYTES = 32
NONCE_BYTES = 12


class Vault:
    """Seals and opens with one key, which it never shows."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def seal(self, secret: str, *, owner: str) -> bytes:
        """The secret so that only this key opens it, and only for this owner."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, secret.encode(), owner.encode())

    def open(self, sealed: bytes, *, owner: str) -> str:
        """What was sealed for the owner. Raises BadSetting if it was sealed with another key."""
        nonce, rest = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
        try:
            return self._cipher.decrypt(nonce, rest, owner.encode()).decode()
        except (InvalidTag, ValueError):
            raise BadSetting(
                name="TINTYPE_VAULT_KEY",
                problem="does not open the stored secrets; it belongs to another database",
            ) from None


def open_vault(path: Path, *, key: str = "") -> Vault:
    """The vault of a key (base64, 32 bytes); without one, of the key file, which is made if missing.

    Raises BadSetting for a bad key, and for a key file that others may read.
    """
    if key:
        return Vault(_read_key(key, "TINTYPE_VAULT_KEY"))
    try:
        _make_key_file(path)
        if path.stat().st_mode & 0o077:
            raise BadSetting(name=str(path), problem="others may read the key file; make its mode 0600")
        return Vault(_read_key(path.read_text("ascii"), str(path)))
    except (OSError, UnicodeDecodeError) as problem:
        raise BadSetting(name=str(path), problem=f"the key file cannot be used ({problem})") from problem


def _read_key(text: str, name: str) -> bytes:
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise BadSetting(name=name, problem=f"is not a key: {KEY_BYTES} bytes in base64")
    return key


def _make_key_file(path: Path) -> None:
    """Appears whole or not at all, and only one of several processes makes it."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(base64.b64encode(os.urandom(KEY_BYTES)).decode() + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            return
    finally:
        draft.unlink()
