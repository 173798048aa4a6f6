"""What a picture says about itself: that a model drew it, from which inputs, in which versions and numbers.

No times and no ids, so that equal inputs give equal bytes.
"""

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from tintype.engine.images import xmp
from tintype.engine.protocol import Job

if TYPE_CHECKING:
    from PIL.Image import Image

KEYWORD = "tintype"
SOFTWARE = "Tintype"
XMP_KEYWORD = "XML:com.adobe.xmp"
_BUDGET = 60_000  # bytes; a JPEG segment holds 65,533
_EXIF_IFD = 0x8769
_IMAGE_DESCRIPTION = 0x010E
_SOFTWARE = 0x0131
_USER_COMMENT = 0x9286
_ASCII_COMMENT = b"ASCII\0\0\0"


def describe(
    job: Job,
    *,
    checkpoint: str,
    versions: dict[str, str],
    fingerprint: str = "",
    arithmetic: Mapping[str, str] = MappingProxyType({}),
    references: Sequence[str] = (),
) -> dict[str, Any]:
    """The metadata of the job's picture: JSON values only, in a fixed order.

    `fingerprint` is that of the checkpoint, `arithmetic` how it computes; `references` are the SHA-256
    digests of the job's reference pictures.
    Of a job with `metadata="minimal"` no inputs are told, neither its own nor its pictures'.
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
    told = job.metadata == "full"
    return {
        "digitalSourceType": xmp.EDITED if references else xmp.DRAWN,
        **({"inputs": inputs} if told else {}),
        **({"references": list(references)} if references and told else {}),
        "checkpoint": checkpoint,
        **({"fingerprint": fingerprint} if fingerprint else {}),
        "description": dict(sorted(job.description.items())),
        "versions": dict(sorted(versions.items())),
        **({"arithmetic": dict(arithmetic)} if arithmetic else {}),
    }


def digests_of(job: Job) -> tuple[str, ...]:
    """SHA-256 of each of the job's reference pictures as it came, in hexadecimal digits."""
    return tuple(hashlib.sha256(image).hexdigest() for image in job.images)


def png_texts(metadata: dict[str, Any]) -> dict[str, str]:
    """Keyword and text of each `iTXt` chunk."""
    prompt = metadata.get("inputs", {}).get("prompt")
    return {
        **({} if prompt is None else {"Description": prompt}),
        "Software": _software(metadata),
        KEYWORD: json.dumps(metadata, ensure_ascii=False, separators=(",", ":")),
        XMP_KEYWORD: xmp_packet(metadata),
    }


def xmp_packet(metadata: dict[str, Any]) -> str:
    """What the picture is and who drew it, as the IPTC standard has it."""
    software, version = _software(metadata), metadata["versions"].get("tintype")
    system = f"{SOFTWARE}, {metadata['checkpoint']}"
    prompt = metadata.get("inputs", {}).get("prompt")
    return xmp.packet(
        {
            xmp.TOOL: software,
            xmp.SOURCE: metadata["digitalSourceType"],
            xmp.SYSTEM: system,
            **({xmp.SYSTEM_VERSION: version} if version else {}),
            **({xmp.PROMPT: prompt} if prompt else {}),
        }
    )


class JpegBlocks(NamedTuple):
    """The blocks of a JPEG that metadata go into."""

    exif: bytes
    xmp: bytes


def jpeg_blocks(metadata: dict[str, Any]) -> JpegBlocks:
    """EXIF and XMP. A prompt too long for either is shortened in both, and `promptShortened` says so."""
    comment = _ASCII_COMMENT + json.dumps(metadata, separators=(",", ":")).encode("ascii")
    packet = xmp_packet(metadata).encode()
    prompt = metadata.get("inputs", {}).get("prompt")
    described = max(len(comment) + len((prompt or "").encode()), len(packet))
    if prompt and described > _BUDGET:
        fitting = prompt[: max(0, len(prompt) * _BUDGET // described - 1_000)]
        inputs = {**metadata["inputs"], "prompt": fitting}
        return jpeg_blocks({**metadata, "inputs": inputs, "promptShortened": True})
    return JpegBlocks(_exif(comment, prompt, _software(metadata)), packet)


def _exif(comment: bytes, prompt: str | None, software: str) -> bytes:
    from PIL import Image

    exif = Image.Exif()
    if prompt is not None:
        exif[_IMAGE_DESCRIPTION] = prompt.replace("\0", " ").encode()
    exif[_SOFTWARE] = software
    exif.get_ifd(_EXIF_IFD)[_USER_COMMENT] = comment
    return exif.tobytes()


def read_metadata(image: bytes) -> dict[str, Any]:
    """The metadata of an encoded PNG or JPEG; empty if it carries none of ours.

    Raises `ValueError` if the bytes are no readable picture.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        picture = Image.open(io.BytesIO(image))
    except UnidentifiedImageError as error:
        raise ValueError("not a readable picture") from error
    return metadata_of(picture)


def metadata_of(picture: "Image") -> dict[str, Any]:
    """The metadata of an opened picture; empty if it carries none of ours."""
    from PIL import PngImagePlugin

    if isinstance(picture, PngImagePlugin.PngImageFile):
        text = picture.text.get(KEYWORD, "")
    else:
        comment = _user_comment(picture)
        text = comment.removeprefix(_ASCII_COMMENT).decode("ascii", "replace")
    try:
        metadata = json.loads(text, parse_constant=_no_json)
    except (ValueError, RecursionError):
        return {}
    return metadata if isinstance(metadata, dict) else {}


def _user_comment(picture: "Image") -> bytes:
    try:
        comment = picture.getexif().get_ifd(_EXIF_IFD).get(_USER_COMMENT)
    except Exception:  # a damaged block says nothing
        return b""
    return comment if isinstance(comment, bytes) else b""


def _no_json(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON")


def read_inputs(image: bytes) -> dict[str, Any]:
    """The inputs that an encoded PNG or JPEG was drawn from; empty if it does not say.

    Raises `ValueError` if the bytes are no readable picture.
    """
    inputs = read_metadata(image).get("inputs")
    return inputs if isinstance(inputs, dict) else {}


def _software(metadata: dict[str, Any]) -> str:
    return f"{SOFTWARE} {metadata['versions'].get('tintype', '')}".strip()
