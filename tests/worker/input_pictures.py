"""Tasks with input pictures, and what becomes of these before the engine sees them."""

import io
from typing import Any

import pytest

from files import picture
from tintype.domain.file_types import recognize
from tintype.domain.inputs import read_inputs
from tintype.domain.part import Part
from tintype.domain.task import Task
from tintype.domain.task_object import file_url
from tintype.worker.preparing import Prepared, Unfit
from worker.workshop import Workshop

MODEL = "black-forest-labs/flux-2-flex"
PNG, JPEG = picture("PNG", size=(320, 160)), picture("JPEG", size=(96, 96))
BLUE = picture("WEBP", size=(64, 80), colour="blue")


def part(content: bytes, name: str = "a.png") -> Part:
    return Part(
        name=name,
        size=len(content),
        digest=str(hash(content)),
        kind=recognize(content[:8192], name),
        content=io.BytesIO(content),
    )


async def upload(workshop: Workshop, content: bytes) -> str:
    """The URL of a file that is kept here."""
    file = await workshop.service.filing.upload(workshop.project, part(content), "0")
    return file_url(file, workshop.service.public_url)


async def run(workshop: Workshop, *pictures: Any, **inputs: Any) -> Task:
    """A task with input pictures, accepted."""
    asked = {"prompt": "the same in blue", "steps": 1, "inputImage": list(pictures), **inputs}
    return await workshop.service.submit(workshop.project, workshop.service.catalogue[MODEL], asked)


async def prepare(workshop: Workshop, *urls: str, **inputs: Any) -> Prepared:
    asked = {"prompt": "", "inputImage": list(urls), **inputs}
    return await workshop.preparing().prepare(read_inputs(workshop.service.catalogue[MODEL], asked))


async def problem(workshop: Workshop, *urls: str) -> str:
    """Why pictures cannot be used."""
    with pytest.raises(Unfit) as unfit:
        await prepare(workshop, *urls)
    return str(unfit.value)
