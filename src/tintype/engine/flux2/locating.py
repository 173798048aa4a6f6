"""From what a setting calls weights to a folder on this machine. Imports no tensor library."""

import re
from collections.abc import Sequence
from pathlib import Path

from tintype.domain.errors import BadCheckpoint
from tintype.engine.flux2.naming import naming

INDEX = "model_index.json"
FACTS = (INDEX, "tintype.toml")
"""What says which model it is, without its weights."""
PARTS = ("transformer", "vae", "text_encoder", "tokenizer", "scheduler")

_HUB_ID = re.compile(r"(?P<repository>[\w.-]+/[\w.-]+?)(@(?P<revision>[\w./-]+))?")
_RIGHT = "right is a folder in FLUX.2 format, or a hub id such as black-forest-labs/FLUX.2-klein-base-4B"


def locate(weights: str, *, facts_only: bool = False) -> Path:
    """The folder of the weights.

    Hub ids (`owner/name`, or `owner/name@revision`) are downloaded if they are not in the cache; with
    `facts_only` no more of them than what says which model it is.

    Raises `BadCheckpoint`.
    """
    folder = Path(weights).expanduser()
    if folder.is_dir():
        return folder
    if folder.exists():
        raise BadCheckpoint(path=weights, problem=f"is a file; {_RIGHT}")
    named = _HUB_ID.fullmatch(weights)
    if not named:
        raise BadCheckpoint(path=weights, problem=f"there is no such folder; {_RIGHT}")
    patterns = list(FACTS) if facts_only else [*FACTS, *(f"{part}/*" for part in PARTS)]
    with naming(weights, "download"):
        return _download(named["repository"], named["revision"], patterns)


def name_of(weights: str, folder: Path) -> str:
    """What a checkpoint is called that was located at the folder: by its folder or its hub id."""
    if Path(weights).expanduser().is_dir():
        return folder.resolve().name
    return weights.partition("/")[2].partition("@")[0]


def _download(repository: str, revision: str | None, patterns: Sequence[str]) -> Path:
    """Raises `ValueError` with what to do about it."""
    from huggingface_hub import constants, snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        return Path(snapshot_download(repository, revision=revision, allow_patterns=list(patterns)))
    except GatedRepoError as error:
        raise ValueError(
            f"its licence has to be accepted first, at https://huggingface.co/{repository}; then set HF_TOKEN"
        ) from error
    except RepositoryNotFoundError as error:
        raise ValueError(
            "there is no such folder, and no such public repository on the hub; private ones need HF_TOKEN"
        ) from error
    except RevisionNotFoundError as error:
        raise ValueError(f"{repository} has no revision {revision}") from error
    except (LocalEntryNotFoundError, OSError) as error:
        asked = "HF_HUB_OFFLINE is set" if constants.HF_HUB_OFFLINE else "the hub cannot be reached"
        raise ValueError(
            f"there is no such folder, it is not in the cache ({constants.HF_HUB_CACHE}), and {asked}"
        ) from error
