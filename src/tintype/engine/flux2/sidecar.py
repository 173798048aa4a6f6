"""`tintype.toml`: what the FLUX.2 format lacks, beside the weights. Optional for FLUX.2 itself."""

from pathlib import Path

import msgspec

FILE = "tintype.toml"


class _Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class Text(_Table, frozen=True):
    """How prompts become embeddings."""

    layers: tuple[int, ...] = (9, 18, 27)
    """Indices of the hidden states used, concatenated; 0 is the embedding layer."""
    max_length: int = 512
    """Tokens; prompts are padded and truncated to it."""


class CanvasTable(_Table, frozen=True):
    """What the checkpoint draws on."""

    token: int | None = None
    """Pixels of canvas per side of an image token; checked against the VAE."""
    native: tuple[tuple[int, int], ...] = ()
    """Width and height of the sizes it was trained for; empty: any."""


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
    defaults: Defaults = Defaults()


def read_sidecar(folder: Path) -> Sidecar:
    """The folder's sidecar; all defaults if it has none. Raises `ValueError` if it makes no sense."""
    path = folder / FILE
    if not path.is_file():
        return Sidecar()
    try:
        return msgspec.toml.decode(path.read_bytes(), type=Sidecar)
    except (ValueError, msgspec.DecodeError) as error:
        raise ValueError(f"{FILE}: {error}") from error
