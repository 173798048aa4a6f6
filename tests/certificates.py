"""Certificates as an operator has them: an authority, made for a test, issues them."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

DOCUMENT_SIGNING = ObjectIdentifier("1.3.6.1.5.5.7.3.36")
PEM = serialization.Encoding.PEM


def new_key(kind: str = "P-256") -> Any:
    match kind:
        case "Ed25519":
            return ed25519.Ed25519PrivateKey.generate()
        case "RSA":
            return rsa.generate_private_key(public_exponent=65537, key_size=2048)
        case "P-384":
            return ec.generate_private_key(ec.SECP384R1())
        case "secp256k1":
            return ec.generate_private_key(ec.SECP256K1())
    return ec.generate_private_key(ec.SECP256R1())


def key_pem(key: Any, passphrase: bytes = b"") -> bytes:
    encryption: Any = serialization.NoEncryption()
    if passphrase:
        encryption = serialization.BestAvailableEncryption(passphrase)
    pem: bytes = key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, encryption)
    return pem


def _name(organization: str, common: str) -> x509.Name:
    parts = ((NameOID.ORGANIZATION_NAME, organization), (NameOID.COMMON_NAME, common))
    return x509.Name([x509.NameAttribute(oid, text) for oid, text in parts])


class Authority:
    """A certificate authority."""

    def __init__(self, organization: str = "Root of Trust") -> None:
        self._name = _name(organization, f"{organization} CA")
        self.key = new_key()
        self._certificate = (
            _builder(self._name, self._name, self.key.public_key(), valid_for=timedelta(days=3650))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(_key_usage(signs=False), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), critical=False)
            .sign(self.key, hashes.SHA256())
        )

    @property
    def pem(self) -> bytes:
        return self._certificate.public_bytes(PEM)

    def issue(
        self,
        key: Any,
        *,
        purpose: ObjectIdentifier = DOCUMENT_SIGNING,
        valid_for: timedelta = timedelta(days=30),
        common: str = "pictures.example",
    ) -> bytes:
        """A certificate of the Studio in PEM form, for the key, valid since two days ago."""
        public, issuer = key.public_key(), self.key.public_key()
        certificate = (
            _builder(_name("Studio", common), self._name, public, valid_for=valid_for)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(signs=True), critical=True)
            .add_extension(x509.ExtendedKeyUsage([purpose]), critical=True)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .sign(self.key, hashes.SHA256())
        )
        return certificate.public_bytes(PEM)


def _builder(subject: x509.Name, issuer: x509.Name, public: Any, *, valid_for: timedelta) -> Any:
    since = datetime.now(UTC) - timedelta(days=2)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(since)
        .not_valid_after(since + valid_for)
    )


def _key_usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=not signs,
        crl_sign=not signs,
        encipher_only=False,
        decipher_only=False,
    )


@dataclass(frozen=True)
class Credentials:
    """Files of an operator."""

    certificate: Path
    key: Path
    roots: Path
    """The root that the certificate descends from."""


def write_credentials(
    folder: Path, *, kind: str = "P-256", authority: Authority | None = None, **issued: Any
) -> Credentials:
    authority = authority or Authority()
    key = new_key(kind)
    files = Credentials(folder / "chain.pem", folder / "key.pem", folder / "roots.pem")
    files.certificate.write_bytes(authority.issue(key, **issued))
    write_key(files.key, key_pem(key))
    files.roots.write_bytes(authority.pem)
    return files


def write_key(path: Path, pem: bytes) -> None:
    path.write_bytes(pem)
    path.chmod(0o600)


EMAIL_PROTECTION = ExtendedKeyUsageOID.EMAIL_PROTECTION
SERVER_AUTH = ExtendedKeyUsageOID.SERVER_AUTH
