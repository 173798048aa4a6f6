"""What a checkpoint's folder says about itself before any weight is read. Imports no tensor library."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tintype.domain.fixed import OPEN, Fixed
from tintype.domain.source import BLANK
from tintype.engine.flux2.locating import INDEX, locate, name_of
from tintype.engine.flux2.naming import naming
from tintype.engine.flux2.sidecar import Sidecar, Text, read_sidecar

DISTILLED = Fixed(steps=4, guidance=1.0)
"""Of FLUX.2 klein: `fixed_params` in https://github.com/black-forest-labs/flux2."""

USUAL_TEXT: Mapping[str, Text] = {
    "Flux2KleinPipeline": Text(layers=(9, 18, 27)),
    "Flux2Pipeline": Text(layers=(10, 20, 30)),
}
"""Pipeline class in `model_index.json` to how it reads prompts."""


@dataclass(frozen=True)
class Manifest:
    """Which model a folder holds."""

    name: str
    """Its own, or that of its folder or hub id."""
    folder: Path
    pipeline: str
    """The class in `model_index.json`."""
    distilled: bool
    sidecar: Sidecar

    @property
    def text(self) -> Text:
        return self.sidecar.text or USUAL_TEXT[self.pipeline]

    @property
    def fixed(self) -> Fixed:
        """The sidecar's word counts before that of the format."""
        return self.sidecar.fixed or (DISTILLED if self.distilled else OPEN)


def read_manifest(weights: str, folder: Path) -> Manifest:
    """Of the folder that `weights` was located at. Raises `BadCheckpoint`."""
    with naming(weights, INDEX):
        index: dict[str, Any] = json.loads(_text(folder / INDEX))
        pipeline = index["_class_name"]
        if pipeline not in USUAL_TEXT:
            raise ValueError(
                f"{pipeline} is not a FLUX.2 pipeline that can be served ({', '.join(USUAL_TEXT)})"
            )
    with naming(weights, "sidecar"):
        sidecar = read_sidecar(folder)
    return Manifest(
        name=sidecar.name or name_of(weights, folder),
        folder=folder,
        pipeline=pipeline,
        distilled=bool(index.get("is_distilled")),
        sidecar=sidecar,
    )


def fixed_inputs(weights: str) -> Fixed:
    """What the weights do not leave open. Raises `BadCheckpoint`, also if there are no such weights."""
    if weights == BLANK:
        return OPEN
    return read_manifest(weights, locate(weights, facts_only=True)).fixed


def _text(file: Path) -> str:
    if not file.is_file():
        raise ValueError(
            "is missing; a folder in FLUX.2 format has one beside transformer, vae, text_encoder, …"
        )
    return file.read_text("utf-8")
