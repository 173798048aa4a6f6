"""What a task needs before it can be drawn: its input files at hand, and a size.

Own files come from the object store, others' over the network, from public addresses alone. Whatever is wrong
with them ends the task, with a text that its caller can act upon.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

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
from tintype.worker.sizing import size_like

PATIENCE = 60.0
"""Seconds that all of a task's files together may take."""
PAUSES = (0.5, 2.0)
"""Seconds before a server that could not be reached is tried again."""
SHOWN = 300
"""Characters of a URL that a message repeats."""


class Unfit(Exception):
    """The task cannot be drawn as asked. The message is for its caller."""


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

    async def prepare(self, inputs: Mapping[str, Any]) -> Prepared:
        """Fetches the pictures that the inputs name. Raises Unfit; may be cancelled at any time."""
        given = urls_of(inputs)
        if not given:
            return Prepared(inputs, ())
        budget = Budget(LARGEST_IMAGES)
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

    async def _content(self, url: str, budget: "Budget") -> bytes:
        if (file := await self._own_file(url)) is not None:
            budget.take(file.size)
            return await self._objects.get(file.object_key)
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
        """The file of a URL of this service; None for any other URL. Raises UnknownFile."""
        if not url.startswith(self._own):
            return None
        key, _, name = urlsplit(url.removeprefix(self._own)).path.partition("/")
        file = await self._database.read(lambda connection: files.by_access_key(connection, key))
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
        """Raises Unfit beyond the budget."""
        self._left -= size
        if self._left < 0:
            raise self.exceeded()

    def give_back(self, size: int) -> None:
        """What was taken will be fetched again."""
        self._left += size

    def exceeded(self) -> Unfit:
        """What to say then."""
        return Unfit(f"The input files have more than {self.most // 2**20} MiB together.")


def _sized(inputs: Mapping[str, Any], first: tuple[int, int]) -> dict[str, Any]:
    """The inputs, with a size like the first picture's where it is open."""
    width, height = inputs["width"], inputs["height"]
    if LIKE_PICTURE in (width, height):
        width, height = size_like(first, width=width, height=height)
    return {**inputs, "width": width, "height": height}


def _shown(url: str) -> str:
    return url if len(url) <= SHOWN else f"{url[:SHOWN]}…"
