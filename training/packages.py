"""The npm packages that hold pictures and words: fetched once with `npm pack`, read from the archive."""

import json
import os
import subprocess
import tarfile
from pathlib import Path
from typing import Any

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
WORK = Path(os.environ.get("TINTYPE_TRAINING") or CACHE / "tintype-training")
"""Where work files lie: outside the repository, so that a new checkout goes on where the old one was."""

PACKAGES = {
    "noto": "@iconify-json/noto@1.2.9",
    "flat": "@iconify-json/fluent-emoji-flat@1.2.6",
    "3d": "@lobehub/fluent-emoji-3d@1.1.0",
    "blob": "@iconify-json/noto-v1@1.2.5",
    "flags": "@iconify-json/flag@1.2.12",
    "emojibase": "emojibase-data@17.0.0",
    "emojilib": "emojilib@4.0.3",
}


def archive(name: str) -> Path:
    """The package's archive on disk; downloads it when it is not there yet."""
    folder = WORK / "npm"
    folder.mkdir(parents=True, exist_ok=True)
    scoped, version = PACKAGES[name].rsplit("@", 1)
    path = folder / f"{scoped.lstrip('@').replace('/', '-')}-{version}.tgz"
    if not path.exists():
        subprocess.run(["npm", "pack", "--silent", PACKAGES[name]], cwd=folder, check=True)
    return path


def member(name: str, path: str) -> bytes:
    """One file out of a package, for example `member("noto", "icons.json")`."""
    with tarfile.open(archive(name)) as tar:
        file = tar.extractfile(f"package/{path}")
        assert file is not None, f"{path} is no file of {PACKAGES[name]}"
        return file.read()


def files(name: str) -> dict[str, bytes]:
    """Every file of a package by its path inside the package."""
    with tarfile.open(archive(name)) as tar:
        found = {
            entry.name.removeprefix("package/"): tar.extractfile(entry) for entry in tar if entry.isfile()
        }
        return {path: file.read() for path, file in found.items() if file is not None}


def document(name: str, path: str) -> Any:
    """One JSON file out of a package, parsed."""
    return json.loads(member(name, path))
