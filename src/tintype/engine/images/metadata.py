"""What a picture says about itself: the inputs it was drawn from, and the versions that drew it.

No times and no ids, so that equal inputs give equal bytes.
"""

import hashlib
import io
import json
from collections.abc import Sequence
from typing import Any

from tintype.engine.protocol import Job

KEYWORD = "tintype"
SOFTWARE = "Tintype"
_EXIF_BUDGET = 60_000  # bytes; a JPEG segment holds 65,533
_EXIF_IFD = 0x8769
_IMAGE_DESCRIPTION = 0x010E
_SOFTWARE = 0x0131
_USER_COMMENT = 0x9286
_ASCII_COMMENT = b"ASCII\0\0\0"


def describe(
    job: Job, *, checkpoint: str, versions: dict[str, str], references: Sequence[str] = ()
) -> dict[str, Any]:
    """The metadata of the job's picture: JSON values only, in a fixed order.

    `references` are the SHA-256 digests of its reference pictures.
    """
    inputs = {
        "prompt": job.prompt,
        "width": job.width,
        "height": job.height,
        "steps": job.steps,
        "guidance": job.guidance,
        "seed": job.seed,
        "outputFormat": job.output_format,
    }
    return {
        "inputs": inputs,
        **({"references": list(references)} if references else {}),
        "checkpoint": checkpoint,
        "description": dict(sorted(job.description.items())),
        "versions": dict(sorted(versions.items())),
    }


def digests_of(job: Job) -> tuple[str, ...]:
    """SHA-256 of each of the job's reference pictures as it came, in hexadecimal digits."""
    return tuple(hashlib.sha256(image).hexdigest() for image in job.images)


def png_texts(metadata: dict[str, Any]) -> dict[str, str]:
    """Keyword and text of each `iTXt` chunk."""
    return {
        "Description": metadata["inputs"]["prompt"],
        "Software": _software(metadata),
        KEYWORD: json.dumps(metadata, ensure_ascii=False, separators=(",", ":")),
    }


def jpeg_exif(metadata: dict[str, Any]) -> bytes:
    """The EXIF block. A prompt too long for it is shortened, and `promptShortened` says so."""
    from PIL import Image

    comment = _ASCII_COMMENT + json.dumps(metadata, separators=(",", ":")).encode("ascii")
    prompt = metadata["inputs"]["prompt"]
    described = len(comment) + len(prompt.encode())
    if described > _EXIF_BUDGET:
        fitting = prompt[: max(0, len(prompt) * _EXIF_BUDGET // described - 1_000)]
        inputs = {**metadata["inputs"], "prompt": fitting}
        return jpeg_exif({**metadata, "inputs": inputs, "promptShortened": True})
    exif = Image.Exif()
    exif[_IMAGE_DESCRIPTION] = prompt.replace("\0", " ").encode()
    exif[_SOFTWARE] = _software(metadata)
    exif.get_ifd(_EXIF_IFD)[_USER_COMMENT] = comment
    return exif.tobytes()


def read_metadata(image: bytes) -> dict[str, Any]:
    """The metadata of an encoded PNG or JPEG; empty if it carries none of ours.

    Raises `ValueError` if the bytes are no readable picture.
    """
    from PIL import Image, PngImagePlugin, UnidentifiedImageError

    try:
        picture = Image.open(io.BytesIO(image))
    except UnidentifiedImageError as error:
        raise ValueError("not a readable picture") from error
    if isinstance(picture, PngImagePlugin.PngImageFile):
        text = picture.text.get(KEYWORD, "")
    else:
        comment = picture.getexif().get_ifd(_EXIF_IFD).get(_USER_COMMENT, b"")
        text = comment.removeprefix(_ASCII_COMMENT).decode("ascii", "replace")
    try:
        metadata = json.loads(text)
    except ValueError:
        return {}
    return metadata if isinstance(metadata, dict) else {}


def read_inputs(image: bytes) -> dict[str, Any]:
    """The inputs that an encoded PNG or JPEG was drawn from; empty if it does not say.

    Raises `ValueError` if the bytes are no readable picture.
    """
    inputs = read_metadata(image).get("inputs")
    return inputs if isinstance(inputs, dict) else {}


def _software(metadata: dict[str, Any]) -> str:
    return f"{SOFTWARE} {metadata['versions'].get('tintype', '')}".strip()
