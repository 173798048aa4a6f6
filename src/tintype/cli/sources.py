"""Files that a command is given: a path, or a URL where the server can fetch it."""

from pathlib import Path
from typing import TYPE_CHECKING

from tintype.cli.refusals import Stop

if TYPE_CHECKING:
    from tintype_client import Client

FILE_TYPES = ("fileinput", "multifileinput", "combinefileinput")


def source(text: str) -> "Path | str":
    """The path of a file that can be read, or the URL as it is. Raises Stop."""
    if text.lower().startswith(("http://", "https://")):
        return text
    path = Path(text).expanduser()
    if path.is_dir():
        raise Stop(f"{text} is a folder; name a file")
    try:
        with path.open("rb"):
            return path
    except OSError as problem:
        raise Stop(f"cannot read {text}: {problem.strerror}") from problem


def pictures(texts: list[str], client: "Client", model: str) -> "dict[str, Path | str | list[Path | str]]":
    """The files as the model's input of that kind; its first one, should it have several. Raises Stop."""
    if not texts:
        return {}
    sources = [source(text) for text in texts]
    taking = [item for item in client.model(model).inputs if item.type in FILE_TYPES]
    if not taking:
        raise Stop(f"{model} takes no pictures")
    if taking[0].type == FILE_TYPES[0] and len(sources) == 1:
        return {taking[0].id: sources[0]}
    return {taking[0].id: sources}
