"""What a picture's C2PA signature is worth: https://spec.c2pa.org/ on validation.

Asks nobody: neither manifests nor revocations are fetched. Needs the extra `tintype[c2pa]`.
"""

import io
import json
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

import msgspec

PURPOSES: Mapping[str, str] = {
    "1.3.6.1.5.5.7.3.4": "e-mail protection",
    "1.3.6.1.5.5.7.3.36": "document signing",
    "1.3.6.1.4.1.62558.2.1": "C2PA claim signing",
}
"""Extended key usages that a signing certificate may have."""
_TRUST = {"signingCredential.trusted", "signingCredential.untrusted"}
_ALTERED = {
    "assertion.boxesHash.mismatch",
    "assertion.bmffHash.mismatch",
    "assertion.dataHash.mismatch",
    "assertion.hashedURI.mismatch",
}


class Verdict(StrEnum):
    """What a signature is worth."""

    VALID = "valid"
    """It is the signer's, and the picture is as it was signed."""
    ALTERED = "altered"
    """The picture, or what it says about itself, is not what was signed."""
    INVALID = "invalid"
    """It is no proper signature, or its certificate was never fit for one."""
    UNCHECKED = "unchecked"
    """The library that checks signatures is not installed."""


class Signature(msgspec.Struct, frozen=True, kw_only=True):
    """A C2PA signature, checked."""

    verdict: Verdict
    signer: str = ""
    """The organization that the certificate names."""
    common_name: str = ""
    signed_at: str = ""
    """When, as a timestamp authority says it; empty without one."""
    trusted: bool | None = None
    """Whether the certificate descends from a trusted root; None if no roots were given."""
    generator: str = ""
    """The software that signed, as the manifest says it."""
    source_types: tuple[str, ...] = ()
    """The digital source types that the manifest states."""
    problems: tuple[str, ...] = ()
    """What is wrong with it; whether it is trusted does not count."""


def check_signature(image: bytes, content_type: str, *, roots: str = "") -> Signature | None:
    """The picture's signature; None if it has none.

    `roots` are certificates in PEM form whose descendants are trusted. Raises `ModuleNotFoundError` without
    the extra.
    """
    import c2pa

    settings: dict[str, Any] = {
        "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False, "verify_trust": bool(roots)},
        "trust": {"trust_config": "\n".join(PURPOSES), **({"user_anchors": roots} if roots else {})},
    }
    try:
        context = c2pa.Context(c2pa.Settings.from_dict(settings))
        with c2pa.Reader(content_type, io.BytesIO(image), context=context) as reader:
            report: dict[str, Any] = json.loads(reader.json())
    except c2pa.C2paError.ManifestNotFound:
        return None
    except c2pa.C2paError as error:
        return Signature(verdict=Verdict.INVALID, problems=(" ".join(str(error).split()),))
    return _signature(report, trust_asked=bool(roots))


def _signature(report: Mapping[str, Any], *, trust_asked: bool) -> Signature:
    manifest = report["manifests"][report["active_manifest"]]
    by = manifest.get("signature_info") or {}
    results = report.get("validation_results") or {}
    said = results.get("activeManifest") or {}
    failures = [failure for failure in said.get("failure", ()) if failure["code"] not in _TRUST]
    failures += [
        failure
        for ingredient in results.get("ingredientDeltas") or ()
        for failure in ingredient.get("validationDeltas", {}).get("failure", ())
        if failure["code"] not in _TRUST
    ]
    good = {success["code"] for success in said.get("success", ())}
    if failures:
        altered = any(failure["code"] in _ALTERED for failure in failures)
        verdict = Verdict.ALTERED if altered else Verdict.INVALID
    else:
        verdict = Verdict.VALID if "claimSignature.validated" in good else Verdict.INVALID
    generators = manifest.get("claim_generator_info") or [{}]
    return Signature(
        verdict=verdict,
        signer=by.get("issuer") or "",
        common_name=by.get("common_name") or "",
        signed_at=by.get("time") or "",
        trusted="signingCredential.trusted" in good if trust_asked else None,
        generator=f"{generators[0].get('name', '')} {generators[0].get('version', '')}".strip(),
        source_types=tuple(_source_types(manifest.get("assertions") or ())),
        problems=tuple(f"{failure.get('explanation', '')} ({failure['code']})" for failure in failures),
    )


def _source_types(assertions: Sequence[Mapping[str, Any]]) -> list[str]:
    actions = (
        action
        for assertion in assertions
        if assertion.get("label", "").startswith("c2pa.actions")
        for action in assertion.get("data", {}).get("actions", ())
    )
    return [action["digitalSourceType"] for action in actions if action.get("digitalSourceType")]
