"""Where pictures are written. A file that the caller names is overwritten; one that Tintype names is new."""

import itertools
import re
from pathlib import Path
from typing import Annotated

import typer

from tintype.cli.refusals import Stop

LONGEST_NAME = 60

Output = Annotated[
    Path | None,
    typer.Option(
        "--output", "-o", help="File to write; overwritten. Default: a new file named after the prompt."
    ),
]
_FORMATS = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg"}
_EXTENSIONS = {"image/png": ".png", "image/jpeg": ".jpg"}


def format_of(path: Path | None) -> str | None:
    """The output format that the file's name asks for, if it does."""
    return None if path is None else _FORMATS.get(path.suffix.lower())


def extension_of(content_type: str) -> str:
    """`.png` for `image/png`."""
    return _EXTENSIONS.get(content_type, "")


def demand_writable(path: Path | None) -> None:
    """Raises Stop before any work is done for a picture that could not be written."""
    if path is None:
        return
    if path.is_dir():
        raise Stop(f"-o {path} is a folder; name a file, such as {path / 'picture.png'}")
    if path.suffix and path.suffix.lower() not in _FORMATS:
        raise Stop(f"-o {path}: pictures are PNG or JPEG; name it .png, .jpg or .jpeg")
    if not path.parent.is_dir():
        raise Stop(f"-o {path}: the folder {path.parent} does not exist")


def write_picture(image: bytes, *, to: Path | None, prompt: str, content_type: str) -> Path:
    """Writes the picture and returns where."""
    path = to or _free_name(prompt, extension_of(content_type))
    try:
        path.write_bytes(image)
    except OSError as problem:
        raise Stop(f"cannot write {path}: {problem.strerror}") from problem
    return path


def _free_name(prompt: str, extension: str) -> Path:
    words = re.sub(r"[^\w]+", "-", prompt.lower()).strip("-")[:LONGEST_NAME].strip("-") or "picture"
    names = itertools.chain([words], (f"{words}-{number}" for number in itertools.count(2)))
    return next(path for name in names if not (path := Path(name + extension)).exists())
