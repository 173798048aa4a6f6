"""Signs pictures with the operator's certificate, as C2PA has it: https://spec.c2pa.org/

For whoever hands pictures out; the process that draws them holds no key. Needs the extra `tintype[c2pa]`.
"""

import io
import json
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tintype
from tintype.domain.errors import BadSetting
from tintype.engine.images import xmp
from tintype.engine.images.metadata import SOFTWARE
from tintype.engine.images.verifying import PURPOSES, check_signature

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

CERTIFICATE, KEY, TIMESTAMPS = "TINTYPE_C2PA_CERTIFICATE", "TINTYPE_C2PA_KEY", "TINTYPE_C2PA_TIMESTAMPS"
"""The settings that a problem is told of."""
NEEDS_EXTRA = "needs `pip install 'tintype[c2pa]'`"
_CURVES = {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"}
_LEAST_RSA_BITS = 2048
_BLANK = (8, 8)
"""Size of the picture that is signed for trial."""


class CertificateExpired(Exception):
    """Whatever is signed now would be no valid signature."""


class TimestampMissing(Exception):
    """The authority gave no timestamp; without one the picture is signed nevertheless."""

    def __init__(self, *, image: bytes, problem: str) -> None:
        self.image = image
        """The signed picture."""
        super().__init__(problem)


class Signer:
    """Signs one picture after another, on any thread."""

    def __init__(
        self, *, algorithm: str, chain: bytes, key: bytes, expires: datetime, timestamps: str = ""
    ) -> None:
        """`chain` and `key` are PEM, the signing certificate first. See `open_signer`, which checks them."""
        import c2pa

        self.expires = expires
        self._context = c2pa.Context(
            c2pa.Settings.from_dict(
                {
                    "verify": {"verify_after_sign": False},
                    "builder": {"thumbnail": {"enabled": False}},
                }
            )
        )

        def signer(authority: str | None) -> Any:
            return c2pa.Signer.from_info(c2pa.C2paSignerInfo(algorithm, chain, key, authority))

        self._signer = signer(None)
        self._stamping = signer(timestamps) if timestamps else None

    def sign(self, image: bytes, content_type: str, *, edited: bool) -> bytes:
        """The picture with a signed manifest: who made it, with what, and that it is as it was made.

        `edited`: other pictures went into it. Blocks while it computes, and with an authority for timestamps
        while that answers, 30 s at most. Raises TimestampMissing, CertificateExpired, and `c2pa.C2paError`
        for what cannot be signed.
        """
        import c2pa

        if datetime.now(UTC) > self.expires:
            raise CertificateExpired
        if self._stamping is None:
            return self._signed(self._signer, image, content_type, edited=edited)
        try:
            return self._signed(self._stamping, image, content_type, edited=edited)
        except c2pa.C2paError as error:
            unstamped = self._signed(self._signer, image, content_type, edited=edited)
            raise TimestampMissing(image=unstamped, problem=str(error)) from error

    def _signed(self, signer: Any, image: bytes, content_type: str, *, edited: bool) -> bytes:
        import c2pa

        signed = io.BytesIO()
        with c2pa.Builder(json.dumps(_manifest(edited=edited)), self._context) as builder:
            builder.sign(signer, content_type, io.BytesIO(image), signed)
        return signed.getvalue()


def open_signer(*, certificate: Path, key: Path, timestamps: str = "") -> Signer:
    """A signer that has signed, and whose signature has been verified.

    Raises BadSetting for files that cannot be read, a key that others may read or that is not the
    certificate's, and a certificate that verifiers would not take. No message repeats anything of the key.
    """
    chain, secret = _read(CERTIFICATE, certificate), _read(KEY, key)
    if key.expanduser().stat().st_mode & 0o077:
        raise BadSetting(name=KEY, problem=f"others may read {key}; make its mode 0600")
    leaf = _leaf(chain, certificate)
    signer_with = partial(
        Signer,
        algorithm=_algorithm(secret, key, leaf),
        chain=chain,
        key=secret,
        expires=leaf.not_valid_after_utc,
    )
    try:
        problem = _trial(signer_with())
    except ModuleNotFoundError as missing:
        if missing.name != "c2pa":
            raise
        raise BadSetting(name=CERTIFICATE, problem=NEEDS_EXTRA) from None
    except Exception as error:
        problem = " ".join(str(error).split())
    if problem:
        raise BadSetting(name=CERTIFICATE, problem=f"nothing can be signed with {certificate}: {problem}")
    return signer_with(timestamps=timestamps)


def _manifest(*, edited: bool) -> dict[str, Any]:
    """https://spec.c2pa.org/ on claims and the assertion `c2pa.actions.v2`."""
    software = {"name": SOFTWARE, "version": tintype.__version__}
    made = {
        "action": "c2pa.created",
        "digitalSourceType": xmp.EDITED if edited else xmp.DRAWN,
        "softwareAgent": software,
    }
    return {
        "claim_generator_info": [software],
        "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": [made]}}],
    }


def _read(setting: str, path: Path) -> bytes:
    try:
        return path.expanduser().read_bytes()
    except OSError as error:
        raise BadSetting(name=setting, problem=f"cannot read {path}: {error.strerror}") from error


def _leaf(chain: bytes, path: Path) -> "Certificate":
    """The certificate that signs."""
    from cryptography import x509

    try:
        leaf, *issuers = x509.load_pem_x509_certificates(chain)
    except ValueError as error:
        problem = f"{path} holds no certificates in PEM form"
        raise BadSetting(name=CERTIFICATE, problem=problem) from error
    now = datetime.now(UTC)
    if not leaf.not_valid_before_utc <= now <= leaf.not_valid_after_utc:
        valid = f"{leaf.not_valid_before_utc:%Y-%m-%d %H:%M} to {leaf.not_valid_after_utc:%Y-%m-%d %H:%M} UTC"
        raise BadSetting(name=CERTIFICATE, problem=f"{path} is valid from {valid} alone")
    if leaf.issuer == leaf.subject:
        problem = f"{path} signs itself; C2PA wants a certificate that an authority has issued"
        raise BadSetting(name=CERTIFICATE, problem=problem)
    with suppress(x509.ExtensionNotFound):
        purposes = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        if not any(purpose.dotted_string in PURPOSES for purpose in purposes):
            problem = f"{path} is for other purposes; C2PA wants one for {', '.join(PURPOSES.values())}"
            raise BadSetting(name=CERTIFICATE, problem=problem)
    for below, above in zip([leaf, *issuers], issuers, strict=False):
        if below.issuer != above.subject:
            problem = f"{path} is no chain; each certificate must be followed by the one that issued it"
            raise BadSetting(name=CERTIFICATE, problem=problem)
    return leaf


def _algorithm(secret: bytes, path: Path, leaf: "Certificate") -> str:
    """How the key signs. Raises BadSetting if it cannot be read, or is not the certificate's."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    try:
        key = serialization.load_pem_private_key(secret, password=None)
    except TypeError:
        problem = f"{path} is encrypted; write it without a passphrase, readable for the service alone"
        raise BadSetting(name=KEY, problem=problem) from None
    except ValueError:
        raise BadSetting(name=KEY, problem=f"{path} holds no private key in PEM form") from None
    if key.public_key() != leaf.public_key():
        raise BadSetting(name=KEY, problem=f"{path} is not the key of the first certificate of {CERTIFICATE}")
    match key:
        case ec.EllipticCurvePrivateKey() if key.curve.name in _CURVES:
            return _CURVES[key.curve.name]
        case ed25519.Ed25519PrivateKey():
            return "ed25519"
        case rsa.RSAPrivateKey() if key.key_size >= _LEAST_RSA_BITS:
            return "ps256"
    problem = f"{path} is of a kind that C2PA does not know; right are P-256, P-384, P-521, Ed25519 and RSA"
    raise BadSetting(name=KEY, problem=problem)


def _trial(signer: Signer) -> str:
    """What verifiers would say against the signer's signatures; empty if nothing."""
    from PIL import Image

    stream = io.BytesIO()
    Image.new("RGB", _BLANK).save(stream, "PNG")
    signature = check_signature(signer.sign(stream.getvalue(), "image/png", edited=False), "image/png")
    assert signature is not None
    return "; ".join(signature.problems)
