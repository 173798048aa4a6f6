"""Objects: the bytes of pictures and uploads, by key, in a directory or an S3-compatible bucket."""

import os
import re
from asyncio import to_thread
from collections.abc import AsyncIterator
from pathlib import Path
from typing import IO, TYPE_CHECKING

import obstore
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import LocalStore, S3Store

from tintype.domain.errors import BadSetting, UnknownFile

if TYPE_CHECKING:
    from obstore.store import S3Config

CHUNK_BYTES = 256 * 1024
PART_BYTES = 5 * 2**20
"""Of a large object so many bytes are on their way at once, twice."""
_LONGEST_KEY = 512
_KEY = re.compile(r"(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*", re.ASCII)


class Objects:
    """An object is written whole or not at all, and never changed afterwards but by another `put`.

    Keys are words of `[A-Za-z0-9._-]` joined by `/`; any other raises ValueError.
    """

    def __init__(self, store: LocalStore | S3Store) -> None:
        self._store = store

    async def put(self, key: str, content: bytes, content_type: str) -> None:
        """Stores the bytes; when this returns they are durable."""
        if isinstance(self._store, LocalStore):
            await obstore.put_async(self._store, _checked(key), content, use_multipart=False)
            await to_thread(_flush, Path(self._store.prefix or ""), key)
        else:
            await obstore.put_async(
                self._store, _checked(key), content, attributes={"Content-Type": content_type}
            )

    async def put_file(self, key: str, content: IO[bytes], content_type: str) -> None:
        """Stores what a file holds, from its beginning, without ever holding all of it.

        If this fails, or the process dies in it, `discard` removes what may be left.
        """
        await to_thread(content.seek, 0)
        local = isinstance(self._store, LocalStore)
        await obstore.put_async(
            self._store,
            _checked(key),
            content,
            attributes=None if local else {"Content-Type": content_type},
            chunk_size=PART_BYTES,
            max_concurrency=2,
        )
        if isinstance(self._store, LocalStore):
            await to_thread(_flush, Path(self._store.prefix or ""), key)

    async def get(self, key: str) -> bytes:
        """The bytes of an object. Raises UnknownFile."""
        try:
            result = await obstore.get_async(self._store, _checked(key))
            return bytes(await result.bytes_async())
        except (NotFoundError, FileNotFoundError):
            raise UnknownFile from None

    async def stream(self, key: str, start: int, end: int) -> AsyncIterator[bytes]:
        """The bytes from `start` up to, not including, `end`, in chunks. Raises UnknownFile."""
        _checked(key)
        if start >= end:
            return
        try:
            result = await obstore.get_async(self._store, key, options={"range": (start, end)})
        except (NotFoundError, FileNotFoundError):
            raise UnknownFile from None
        async for chunk in result.stream(min_chunk_size=CHUNK_BYTES):
            yield bytes(chunk)

    async def size(self, key: str) -> int:
        """How many bytes an object has. Raises UnknownFile."""
        try:
            return (await obstore.head_async(self._store, _checked(key)))["size"]
        except (NotFoundError, FileNotFoundError):
            raise UnknownFile from None

    async def delete(self, key: str) -> None:
        """Removes an object; one that is missing is fine."""
        try:
            await obstore.delete_async(self._store, _checked(key))
        except (NotFoundError, FileNotFoundError):
            return

    async def discard(self, key: str) -> None:
        """Like `delete`, and removes also what a broken `put` has left of an object that never was."""
        await self.delete(key)
        if isinstance(self._store, LocalStore):
            await to_thread(_remove_remains, Path(self._store.prefix or "") / key)


def open_objects(
    place: str | Path, *, endpoint: str = "", region: str = "", access_key: str = "", secret_key: str = ""
) -> Objects:
    """The store of a directory (made if missing) or of `s3://bucket/prefix`.

    For S3, `endpoint` is another server than Amazon's; without keys the usual places are searched
    (environment, instance role). Raises BadSetting.
    """
    try:
        if "://" not in str(place):
            Path(place).mkdir(parents=True, exist_ok=True)
            return Objects(LocalStore(Path(place).resolve()))
        if not str(place).startswith("s3://"):
            raise BadSetting(
                name="TINTYPE_FILES_URL", problem=f"{place} is neither a directory nor s3://bucket/prefix"
            )
        return Objects(_s3(str(place), endpoint, region, access_key, secret_key))
    except (BaseError, OSError, ValueError) as problem:
        raise BadSetting(name="TINTYPE_FILES_URL", problem=f"{place}: {problem}") from problem


def _s3(url: str, endpoint: str, region: str, access_key: str, secret_key: str) -> S3Store:
    config: S3Config = {}
    if endpoint:
        config["endpoint"] = endpoint
    if region:
        config["region"] = region
    if access_key:
        config["access_key_id"] = access_key
    if secret_key:
        config["secret_access_key"] = secret_key
    return S3Store.from_url(url, config=config, client_options={"allow_http": endpoint.startswith("http://")})


def _checked(key: str) -> str:
    if len(key) > _LONGEST_KEY or not _KEY.fullmatch(key):
        raise ValueError(f"not an object key: {key!r}")
    return key


def _flush(root: Path, key: str) -> None:
    """Brings the file and its directory entries to the disk."""
    path = root / key
    for place in (path, *(parent for parent in path.parents if parent.is_relative_to(root))):
        descriptor = os.open(place, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _remove_remains(path: Path) -> None:
    """What the store writes next to an object's place until it is whole, should the process have died."""
    for remains in path.parent.glob(f"{path.name}#*"):
        remains.unlink(missing_ok=True)
