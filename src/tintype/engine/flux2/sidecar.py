"""`tintype.toml`: what the FLUX.2 format lacks, beside the weights. Optional for FLUX.2 itself."""

from pathlib import Path
from typing import Annotated

import msgspec

from tintype.domain.fixed import Fixed
from tintype.engine.protocol import MOST_IMAGES

FILE = "tintype.toml"

AtLeastOne = msgspec.Meta(min_length=1)


class _Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class Text(_Table, frozen=True):
    """How prompts become embeddings."""

    layers: Annotated[tuple[Annotated[int, msgspec.Meta(ge=1)], ...], AtLeastOne] = (9, 18, 27)
    """Indices of the hidden states used, concatenated: 1 is the output of the first layer."""
    max_length: Annotated[int, msgspec.Meta(ge=1)] = 512
    """Tokens; prompts are padded and truncated to it."""


class CanvasTable(_Table, frozen=True):
    """What the checkpoint draws on."""

    token: int | None = None
    """Pixels of canvas per side of an image token; checked against the VAE."""
    native: tuple[tuple[int, int], ...] = ()
    """Width and height of the sizes it was trained for; empty: any."""


class Edit(_Table, frozen=True):
    """Whether the checkpoint was trained to draw after pictures, as FLUX.2 is."""

    references: Annotated[int, msgspec.Meta(ge=0, le=MOST_IMAGES)] = MOST_IMAGES
    """How many reference pictures it takes at once; 0: it draws from the prompt alone."""


class Defaults(_Table, frozen=True):
    """What to ask of it when nothing is asked. For people and catalogues; jobs always say."""

    steps: int = 50
    guidance: float = 4.0


class Sidecar(_Table, frozen=True):
    """The whole file."""

    name: str = ""
    description: str = ""
    text: Text | None = None
    canvas: CanvasTable = CanvasTable()
    edit: Edit = Edit()
    defaults: Defaults = Defaults()
    fixed: Fixed | None = None
    """What jobs cannot choose; None: what the format says."""


def read_sidecar(folder: Path) -> Sidecar:
    """The folder's sidecar; all defaults if it has none. Raises `ValueError` if it makes no sense."""
    path = folder / FILE
    if not path.is_file():
        return Sidecar()
    try:
        return msgspec.toml.decode(path.read_bytes(), type=Sidecar)
    except (ValueError, msgspec.DecodeError) as error:
        raise ValueError(f"{FILE}: {error}") from error
