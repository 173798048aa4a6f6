"""`tintype inspect`: what a picture says about itself, and whether that is signed. Needs no server."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tintype.cli.exits import Exit
from tintype.cli.refusals import Stop

if TYPE_CHECKING:
    from tintype.engine.images.inspection import Inspection
    from tintype.engine.images.verifying import Signature

_WORDS = {
    "digitalCapture": "taken with a camera",
    "trainedAlgorithmicMedia": "made by a generative model",
    "compositeWithTrainedAlgorithmicMedia": "edited with a generative model",
}


def inspect(
    picture: Annotated[Path, typer.Argument(metavar="PICTURE", help="Any picture file.")],
    trust: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="PEM file of root certificates: only a signature that descends from one of them will do.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show what a picture says about itself, and check its signature.

    Exits with 1 if the signature does not hold; with --trust also if there is none that is trusted.
    """
    from tintype.engine.images.inspection import inspect as look

    image = read_file(picture)
    roots = _roots(trust)
    try:
        found = look(image, roots=roots)
    except ValueError as problem:
        raise Stop(f"{picture} is {problem}") from None
    if as_json:
        sound = _is_sound(found, trusting=bool(trust))
        typer.echo(_json({"file": str(picture), "sound": sound, **_fields(found)}))
    else:
        _print(picture, found, trust)
    if not _is_sound(found, trusting=bool(trust)):
        raise typer.Exit(Exit.FAILED)


def read_file(path: Path) -> bytes:
    """Raises Stop."""
    try:
        return path.expanduser().read_bytes()
    except OSError as problem:
        raise Stop(f"cannot read {path}: {problem.strerror}") from problem


def _roots(path: Path | None) -> str:
    if path is None:
        return ""
    from cryptography import x509

    pem = read_file(path)
    try:
        x509.load_pem_x509_certificates(pem)
    except ValueError:
        raise Stop(f"--trust {path}: the file holds no certificates in PEM form") from None
    return pem.decode("ascii", "ignore")


def _is_sound(found: "Inspection", *, trusting: bool) -> bool:
    """Whether nothing speaks against the picture; `trusting` wants a trusted signature."""
    signature = found.signature
    if trusting:
        return signature is not None and signature.verdict == "valid" and signature.trusted is True
    return signature is None or signature.verdict == "valid"


def _fields(found: "Inspection") -> dict[str, Any]:
    import msgspec

    fields: dict[str, Any] = msgspec.to_builtins(found)
    return fields


def _json(fields: dict[str, Any]) -> str:
    import json

    return json.dumps(fields)  # in ASCII: a picture's texts may be no well-formed Unicode


def _print(path: Path, found: "Inspection", trust: Path | None) -> None:
    typer.echo(f"{plain(path)}: {found.format}, {found.width} × {found.height} pixels")
    said = _said(found)
    if not said and found.signature is None:
        typer.echo("It says nothing about how it was made: no inputs, no source, no signature.")
        return
    lines = {**said, "signature": _signature_words(found.signature), "signer": "", "certificate": ""}
    if found.signature and found.signature.verdict != "unchecked":
        lines["signer"] = _signer_words(found.signature)
        lines["certificate"] = _certificate_words(found.signature, trust)
    width = max(map(len, lines)) + 1
    for name, value in lines.items():
        if value:
            typer.echo(f"{name + ':':<{width}} {plain(value)}")


def _said(found: "Inspection") -> dict[str, str]:
    """What the picture says, a line for each."""
    if found.metadata is None:
        lines = {
            "prompt": found.ai_prompt,
            "description": found.description if found.description != found.ai_prompt else "",
            "system": found.ai_system,
            "software": found.software,
        }
    else:
        lines = _told(found.metadata)
    lines["source"] = _source_words(found.digital_source_type)
    return {name: value for name, value in lines.items() if value}


def _told(metadata: dict[str, Any]) -> dict[str, str]:
    """What Tintype has written. Anybody could have, so nothing is taken for granted."""
    inputs, description, versions, arithmetic = (
        _table(metadata.get(name)) for name in ("inputs", "description", "versions", "arithmetic")
    )
    size = f"{inputs['width']} × {inputs['height']}" if {"width", "height"} <= inputs.keys() else ""
    references = metadata.get("references")
    prompt = str(inputs.get("prompt", ""))
    return {
        "prompt": f"{prompt} […]" if metadata.get("promptShortened") else prompt,
        "size": size,
        "steps": str(inputs.get("steps", "")),
        "guidance": str(inputs.get("guidance", "")),
        "seed": str(inputs.get("seed", "")),
        "format": str(inputs.get("outputFormat", "")),
        "references": ", ".join(f"sha256 {digest}" for digest in references)
        if isinstance(references, list)
        else "",
        "model": str(description.get("model", "")),
        "checkpoint": str(metadata.get("checkpoint", "")),
        "fingerprint": str(metadata.get("fingerprint", "")),
        "versions": ", ".join(f"{name} {version}" for name, version in versions.items()),
        "arithmetic": ", ".join(f"{name} {choice}" for name, choice in arithmetic.items()),
    }


def _table(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _source_words(uri: str) -> str:
    name = uri.rpartition("/")[2]
    return f"{_WORDS[name]} ({uri})" if name in _WORDS else uri


def _signature_words(signature: "Signature | None") -> str:
    if signature is None:
        return "none; anybody can have written the above"
    why = "; ".join(signature.problems)
    match signature.verdict:
        case "valid":
            return "valid; the picture is as it was signed"
        case "altered":
            return f"BROKEN; the picture was altered after it was signed: {why}"
        case "invalid":
            return f"INVALID: {why}"
    return "there is one, NOT CHECKED; that needs `pip install 'tintype[c2pa]'`"


def _signer_words(signature: "Signature") -> str:
    names = [name for name in (signature.signer, signature.common_name) if name]
    by = f"{names[0]} ({names[1]})" if len(set(names)) == 2 else (names or ["nobody that is named"])[0]
    at = f", {signature.signed_at}" if signature.signed_at else ""
    using = f", with {signature.generator}" if signature.generator else ""
    return f"{by}{at}{using}"


def _certificate_words(signature: "Signature", trust: Path | None) -> str:
    if signature.trusted is None:
        return "not checked whether it is the signer's; --trust FILE does"
    return f"trusted by {trust}" if signature.trusted else f"NOT TRUSTED by {trust}"


def plain(text: object) -> str:
    """The text in one line, with nothing in it that a terminal obeys."""
    return "".join(letter if letter.isprintable() else _escaped(letter) for letter in str(text))


def _escaped(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii")
