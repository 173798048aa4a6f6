"""What a task needs before it can be drawn: its input files at hand, and a size.

Own files come from the object store, others' over the network, from public addresses alone. Whatever is wrong
with them ends the task, with a text that its caller can act upon.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple, TypeVar
from urllib.parse import unquote, urlsplit

import structlog

from tintype.domain.errors import OutboundError, TooLarge, UnknownFile, Unreachable
from tintype.domain.file_inputs import urls_of
from tintype.domain.file_types import BEGINNING, PICTURES, recognize
from tintype.domain.inputs import LIKE_PICTURE
from tintype.domain.task import File
from tintype.engine.images.reading import UnusablePicture, size_of
from tintype.engine.protocol import LARGEST_IMAGES
from tintype.outbound import Outbound
from tintype.storage import files
from tintype.storage.database import Database
from tintype.storage.objects import Objects
from tintype.worker.fetches import TooManyBytes
from tintype.worker.sizing import size_like

PATIENCE = 60.0
"""Seconds that all of a task's files together may take."""
PAUSES = (0.5, 2.0)
"""Seconds before a server that could not be reached is tried again."""
STORE_PATIENCE = 25.0
"""Seconds for which a database or an object store in trouble is asked again."""
STORE_PAUSE = 1.0
"""Seconds between two such questions."""
SHOWN = 300
"""Characters of a URL that a message repeats."""

T = TypeVar("T")

log = structlog.get_logger()


class Unfit(Exception):
    """The task cannot be drawn as asked. The message is for its caller."""


class StoreUnavailable(Exception):
    """The database or the object store did not answer for a while; the task can be prepared another time."""


class Prepared(NamedTuple):
    """What the engine needs to begin."""

    inputs: Mapping[str, Any]
    """Complete: no size is open any more."""
    images: tuple[bytes, ...]
    """The input pictures, encoded, in the order of the inputs."""


class Preparing:
    """Prepares one task after another, or many at a time."""

    def __init__(self, *, database: Database, objects: Objects, outbound: Outbound, public_url: str) -> None:
        self._database = database
        self._objects = objects
        self._outbound = outbound
        self._own = f"{public_url}/v1/File/"

    @staticmethod
    def needs_files(inputs: Mapping[str, Any]) -> bool:
        """Whether there are pictures to fetch, which may take time and memory."""
        return bool(urls_of(inputs))

    async def prepare(self, inputs: Mapping[str, Any], most: int = LARGEST_IMAGES) -> Prepared:
        """Fetches the pictures that the inputs name. May be cancelled at any time.

        Raises Unfit and, which is no fault of the task, StoreUnavailable; and TooManyBytes for more than
        `most`, where a task may have more.
        """
        given = urls_of(inputs)
        if not given:
            return Prepared(inputs, ())
        budget = Budget(most)
        try:
            async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
                fetching = [group.create_task(self._picture(name, url, budget)) for name, url in given]
        except TimeoutError:
            raise Unfit(f"The input files took longer than {PATIENCE:g} s to fetch.") from None
        except BaseExceptionGroup as failures:
            raise failures.exceptions[0] from None
        pictures = [fetched.result() for fetched in fetching]
        return Prepared(_sized(inputs, pictures[0].size), tuple(picture.content for picture in pictures))

    async def _picture(self, name: str, url: str, budget: "Budget") -> "Picture":
        """One picture at hand, whose head has been read and nothing more."""
        try:
            content = await self._content(url, budget)
            kind = recognize(content[:BEGINNING], "")
            if kind is None or not kind.is_picture:
                raise UnusablePicture(f"is no picture ({', '.join(PICTURES)})")
            return Picture(content, await asyncio.to_thread(size_of, content))
        except UnusablePicture as problem:
            raise Unfit(f"Input file {_shown(url)} of [{name}] {problem}.") from None
        except (OutboundError, UnknownFile) as problem:
            raise Unfit(f"Input file {_shown(url)} of [{name}] could not be fetched: {problem}") from None
        except (Unfit, StoreUnavailable, TooManyBytes):
            raise
        except ValueError:
            raise Unfit(f"Input file {_shown(url)} of [{name}] has no URL that can be fetched.") from None
        except Exception as problem:  # whatever it is, another attempt would meet it again
            log.exception("input_file_broken", input=name)
            what = type(problem).__name__
            raise Unfit(f"Input file {_shown(url)} of [{name}] could not be fetched: {what}.") from problem

    async def _content(self, url: str, budget: "Budget") -> bytes:
        if (file := await self._own_file(url)) is not None:
            budget.take(file.size)
            key = file.object_key
            return await _patiently(lambda: self._objects.get(key))
        for pause in (*PAUSES, None):
            content = bytearray()

            def take(chunk: bytes, content: bytearray = content) -> None:
                budget.take(len(chunk))
                content.extend(chunk)

            try:
                await self._outbound.fetch(url, take, largest=budget.most, within=PATIENCE)
                return bytes(content)
            except TooLarge:
                raise budget.exceeded() from None
            except Unreachable:
                budget.give_back(len(content))
                if pause is None:
                    raise
                await asyncio.sleep(pause)
        raise AssertionError("the last try returns or raises")

    async def _own_file(self, url: str) -> File | None:
        """The file of a URL of this service; None for any other URL. Raises UnknownFile, ValueError."""
        if not url.startswith(self._own):
            return None
        key, _, name = urlsplit(url.removeprefix(self._own)).path.partition("/")
        file = await _patiently(
            lambda: self._database.read(lambda connection: files.by_access_key(connection, key))
        )
        if file is None or file.name != unquote(name):
            raise UnknownFile
        return file


class Picture(NamedTuple):
    """An encoded picture and its size, upright, in pixels."""

    content: bytes
    size: tuple[int, int]


class Budget:
    """The bytes that the files of one task may have together."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._left = most

    def take(self, size: int) -> None:
        """Raises Unfit or TooManyBytes beyond the budget."""
        self._left -= size
        if self._left < 0:
            raise self.exceeded()

    def give_back(self, size: int) -> None:
        """What was taken will be fetched again."""
        self._left += size

    def exceeded(self) -> Unfit | TooManyBytes:
        """What to say then."""
        if self.most < LARGEST_IMAGES:
            return TooManyBytes()
        return Unfit(f"The input files have more than {self.most // 2**20} MiB together.")


async def _patiently(ask: Callable[[], Awaitable[T]]) -> T:
    """The answer of a store, which is asked again while it is in trouble. Raises StoreUnavailable."""
    try:
        async with asyncio.timeout(STORE_PATIENCE):
            while True:
                try:
                    return await ask()
                except UnknownFile:
                    raise
                except Exception as problem:
                    log.warning("store_in_trouble", problem=repr(problem)[:200])
                    await asyncio.sleep(STORE_PAUSE)
    except TimeoutError:
        raise StoreUnavailable from None


def _sized(inputs: Mapping[str, Any], first: tuple[int, int]) -> dict[str, Any]:
    """The inputs, with a size like the first picture's where it is open."""
    width, height = inputs["width"], inputs["height"]
    if LIKE_PICTURE in (width, height):
        width, height = size_like(first, width=width, height=height)
    return {**inputs, "width": width, "height": height}


def _shown(url: str) -> str:
    return url if len(url) <= SHOWN else f"{url[:SHOWN]}…"
