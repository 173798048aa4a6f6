"""The vault: what it seals opens with its key, for its owner, and for nobody else."""

import base64
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tintype.domain.errors import BadSetting
from tintype.storage.vault import Vault, open_vault

KEY = base64.b64encode(b"k" * 32).decode()


def test_what_is_sealed_is_opened_for_its_owner() -> None:
    vault = Vault(b"k" * 32)

    sealed = vault.seal("secret ключ", owner="key")

    assert vault.open(sealed, owner="key") == "secret ключ"
    assert b"secret" not in sealed


def test_sealing_twice_looks_different() -> None:
    vault = Vault(b"k" * 32)

    assert vault.seal("secret", owner="key") != vault.seal("secret", owner="key")


@pytest.mark.parametrize(
    ("key", "owner", "damage"),
    [(b"x" * 32, "key", b""), (b"k" * 32, "other", b""), (b"k" * 32, "key", b"x"), (b"k" * 32, "key", None)],
)
def test_nothing_else_opens_it(key: bytes, owner: str, damage: bytes | None) -> None:
    sealed = Vault(b"k" * 32).seal("secret", owner="key")
    found = b"" if damage is None else sealed + damage

    with pytest.raises(BadSetting, match="TINTYPE_VAULT_KEY: does not open the stored secrets"):
        Vault(key).open(found, owner=owner)


def test_the_key_file_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "data" / "vault.key"
    umask = os.umask(0)
    try:
        sealed = open_vault(path).seal("secret", owner="key")
    finally:
        os.umask(umask)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert open_vault(path).open(sealed, owner="key") == "secret"
    assert list(path.parent.iterdir()) == [path]


def test_parallel_starts_agree_on_one_key(tmp_path: Path) -> None:
    path = tmp_path / "vault.key"
    with ThreadPoolExecutor(8) as pool:
        vaults = list(pool.map(lambda _: open_vault(path), range(8)))

    sealed = vaults[0].seal("secret", owner="key")
    assert {vault.open(sealed, owner="key") for vault in vaults} == {"secret"}


def test_a_given_key_needs_no_file(tmp_path: Path) -> None:
    path = tmp_path / "vault.key"

    sealed = open_vault(path, key=KEY).seal("secret", owner="key")

    assert Vault(b"k" * 32).open(sealed, owner="key") == "secret"
    assert not path.exists()


@pytest.mark.parametrize("key", ["short", "k" * 32, base64.b64encode(b"k" * 31).decode(), "ключ", "?" * 44])
def test_a_bad_key_gives_one_clear_line(tmp_path: Path, key: str) -> None:
    with pytest.raises(BadSetting, match="TINTYPE_VAULT_KEY: is not a key") as refused:
        open_vault(tmp_path / "vault.key", key=key)

    assert key not in str(refused.value)


@pytest.mark.parametrize("content", [b"", b"garbage", b"\xff\xfe"])
def test_a_damaged_key_file_gives_one_clear_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "vault.key"
    path.write_bytes(content)
    path.chmod(0o600)

    with pytest.raises(BadSetting, match=str(path)):
        open_vault(path)


def test_a_key_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "vault.key"
    open_vault(path)
    path.chmod(0o640)

    with pytest.raises(BadSetting, match="mode 0600"):
        open_vault(path)


def test_a_vault_does_not_show_its_key() -> None:
    assert "kkkk" not in repr(Vault(b"k" * 32)) + repr(vars(Vault(b"k" * 32)))
