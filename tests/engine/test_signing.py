"""Signatures of an operator whose certificate an authority of the test has issued."""

import io
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
from PIL import Image

from certificates import (
    EMAIL_PROTECTION,
    SERVER_AUTH,
    Authority,
    Credentials,
    key_pem,
    new_key,
    write_credentials,
    write_key,
)
from pictures import with_a_pixel_changed, without_signature
from serving import free_port
from tintype.domain.errors import BadSetting
from tintype.engine.images import xmp
from tintype.engine.images.inspection import inspect
from tintype.engine.images.signing import CertificateExpired, Signer, TimestampMissing, open_signer
from tintype.engine.images.verifying import Signature, check_signature

from .test_xmp import drawn

ROOTS = Authority()


@pytest.fixture
def files(tmp_path: Path) -> Credentials:
    return write_credentials(tmp_path, authority=ROOTS)


def signer_of(files: Credentials, *, timestamps: str = "") -> Signer:
    return open_signer(certificate=files.certificate, key=files.key, timestamps=timestamps)


def checked(image: bytes, *, roots: bytes = b"", content_type: str = "image/png") -> Signature:
    signature = check_signature(image, content_type, roots=roots.decode())
    assert signature is not None
    return signature


@pytest.mark.parametrize("kind", ["P-256", "P-384", "Ed25519", "RSA"])
def test_a_signed_picture_says_who_signed_it_and_how_it_was_made(tmp_path: Path, kind: str) -> None:
    signer = signer_of(write_credentials(tmp_path, kind=kind, authority=ROOTS))

    signature = checked(signer.sign(drawn(), "image/png", edited=False), roots=ROOTS.pem)

    assert (signature.verdict, signature.trusted, signature.problems) == ("valid", True, ())
    assert (signature.signer, signature.common_name) == ("Studio", "pictures.example")
    assert signature.generator.startswith("Tintype ")
    assert signature.source_types == (xmp.DRAWN,)


def test_an_edited_picture_is_signed_as_one(files: Credentials) -> None:
    signed = signer_of(files).sign(drawn(references=("ab" * 32,)), "image/png", edited=True)

    assert checked(signed).source_types == (xmp.EDITED,)


@pytest.mark.parametrize("output_format", ["png", "jpeg"])
def test_signing_changes_neither_pixels_nor_what_the_picture_says(
    files: Credentials, output_format: str
) -> None:
    image = drawn(output_format)  # type: ignore[arg-type]

    signed = signer_of(files).sign(image, f"image/{output_format}", edited=False)

    before, after = (np.asarray(Image.open(io.BytesIO(file))) for file in (image, signed))
    assert np.array_equal(before, after)
    assert inspect(signed).metadata == inspect(image).metadata
    assert inspect(signed).digital_source_type == xmp.DRAWN
    assert inspect(signed).signature is not None


def test_a_changed_pixel_breaks_the_signature(files: Credentials) -> None:
    signed = signer_of(files).sign(drawn(), "image/png", edited=False)

    altered = with_a_pixel_changed(signed)

    assert (
        np.asarray(Image.open(io.BytesIO(altered))).sum() != np.asarray(Image.open(io.BytesIO(signed))).sum()
    )
    signature = checked(altered, roots=ROOTS.pem)
    assert signature.verdict == "altered"
    assert "assertion.dataHash.mismatch" in signature.problems[0]


def test_a_changed_prompt_breaks_the_signature(files: Credentials) -> None:
    signed = signer_of(files).sign(drawn("jpeg"), "image/jpeg", edited=False)

    altered = signed.replace(b"a red kite", b"a red rose")

    assert altered != signed
    assert checked(altered, content_type="image/jpeg").verdict == "altered"


def test_a_manifest_that_somebody_rewrote_is_no_signature(files: Credentials) -> None:
    signed = signer_of(files).sign(drawn(), "image/png", edited=False)

    forged = signed.replace(b"Tintype", b"Tinpype")

    assert checked(forged).verdict != "valid"


def test_the_signature_of_a_stranger_is_not_trusted(files: Credentials) -> None:
    signed = signer_of(files).sign(drawn(), "image/png", edited=False)

    signature = checked(signed, roots=Authority("Somebody Else").pem)

    assert (signature.verdict, signature.trusted) == ("valid", False)


def test_without_roots_nothing_is_said_about_trust(files: Credentials) -> None:
    signed = signer_of(files).sign(drawn(), "image/png", edited=False)

    assert (checked(signed).verdict, checked(signed).trusted) == ("valid", None)


def test_a_picture_whose_signature_was_stripped_has_none(files: Credentials) -> None:
    signed = signer_of(files).sign(drawn(), "image/png", edited=False)

    assert without_signature(signed) == drawn()
    assert check_signature(without_signature(signed), "image/png") is None


def test_many_pictures_are_signed_side_by_side(files: Credentials) -> None:
    signer = signer_of(files)

    with ThreadPoolExecutor(4) as threads:
        images = [drawn(seed=seed) for seed in range(16)]
        signed = threads.map(lambda image: signer.sign(image, "image/png", edited=False), images)

    assert [without_signature(image) for image in signed] == images


def replaced_key(files: Credentials) -> None:
    write_key(files.key, key_pem(new_key()))


def encrypted_key(files: Credentials) -> None:
    write_key(files.key, key_pem(new_key(), b"hush"))


def no_key(files: Credentials) -> None:
    write_key(files.key, b"hush-hush")


def key_for_all(files: Credentials) -> None:
    files.key.chmod(0o644)


def missing_key(files: Credentials) -> None:
    files.key.unlink()


def missing_certificate(files: Credentials) -> None:
    files.certificate.unlink()


def no_certificate(files: Credentials) -> None:
    files.certificate.write_text("hello")


def reissued(files: Credentials, **how: object) -> None:
    write_credentials(files.certificate.parent, authority=ROOTS, **how)  # type: ignore[arg-type]


def expired(files: Credentials) -> None:
    reissued(files, valid_for=timedelta(days=1))


def for_servers(files: Credentials) -> None:
    reissued(files, purpose=SERVER_AUTH)


def strange_curve(files: Credentials) -> None:
    reissued(files, kind="secp256k1")


def self_signed(files: Credentials) -> None:
    files.certificate.write_bytes(ROOTS.pem)
    write_key(files.key, key_pem(ROOTS.key))


def broken_chain(files: Credentials) -> None:
    files.certificate.write_bytes(files.certificate.read_bytes() + Authority("Somebody Else").pem)


CERTIFICATE, KEY = "TINTYPE_C2PA_CERTIFICATE", "TINTYPE_C2PA_KEY"


@pytest.mark.parametrize(
    ("spoil", "setting", "words"),
    [
        (replaced_key, KEY, "is not the key of the first certificate"),
        (encrypted_key, KEY, "is encrypted"),
        (no_key, KEY, "holds no private key in PEM form"),
        (key_for_all, KEY, "others may read"),
        (missing_key, KEY, "No such file or directory"),
        (strange_curve, KEY, "right are P-256, P-384, P-521, Ed25519 and RSA"),
        (missing_certificate, CERTIFICATE, "No such file or directory"),
        (no_certificate, CERTIFICATE, "holds no certificates in PEM form"),
        (expired, CERTIFICATE, "is valid from"),
        (for_servers, CERTIFICATE, "is for other purposes"),
        (self_signed, CERTIFICATE, "signs itself"),
        (broken_chain, CERTIFICATE, "is no chain"),
    ],
)
def test_credentials_that_cannot_sign_are_one_clear_error(
    files: Credentials, spoil: object, setting: str, words: str
) -> None:
    spoil(files)  # type: ignore[operator]

    with pytest.raises(BadSetting) as refused:
        signer_of(files)

    assert str(refused.value).startswith(f"{setting}: ")
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)
    assert "hush" not in str(refused.value)


def test_nothing_is_signed_once_the_certificate_has_expired(files: Credentials) -> None:
    signer = signer_of(files)
    signer.expires = datetime.now(UTC) - timedelta(seconds=1)

    with pytest.raises(CertificateExpired):
        signer.sign(drawn(), "image/png", edited=False)


def test_a_certificate_for_mail_will_do(files: Credentials) -> None:
    reissued(files, purpose=EMAIL_PROTECTION)

    assert checked(signer_of(files).sign(drawn(), "image/png", edited=False)).verdict == "valid"


def test_a_chain_may_end_with_its_root(files: Credentials) -> None:
    files.certificate.write_bytes(files.certificate.read_bytes() + ROOTS.pem)

    signed = signer_of(files).sign(drawn(), "image/png", edited=False)

    assert checked(signed, roots=ROOTS.pem).trusted is True


def test_an_authority_that_does_not_answer_costs_the_timestamp_alone(files: Credentials) -> None:
    signer = signer_of(files, timestamps=f"http://127.0.0.1:{free_port()}/")

    with pytest.raises(TimestampMissing) as missing:
        signer.sign(drawn(), "image/png", edited=False)

    signature = checked(missing.value.image, roots=ROOTS.pem)
    assert (signature.verdict, signature.trusted, signature.signed_at) == ("valid", True, "")


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl to be an authority")
def test_an_authority_says_when_a_picture_was_signed(files: Credentials, tmp_path: Path) -> None:
    with timestamp_authority(tmp_path) as url:
        signed = signer_of(files, timestamps=url).sign(drawn(), "image/png", edited=False)

    signature = checked(signed, roots=ROOTS.pem)
    assert (signature.verdict, signature.trusted) == ("valid", True)
    assert signature.signed_at.startswith("20")


TIMESTAMPING = """
[tsa]
serial = {folder}/serial
signer_cert = {folder}/tsa.pem
signer_key = {folder}/tsa-key.pem
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha384, sha512
accuracy = secs:1
ess_cert_id_alg = sha256
ess_cert_id_chain = no
tsa_name = no
ordering = no
"""


@contextmanager
def timestamp_authority(folder: Path) -> Iterator[str]:
    """An authority after RFC 3161, on this machine, that openssl answers for."""
    from cryptography.x509.oid import ExtendedKeyUsageOID

    key = new_key("RSA")
    purpose = ExtendedKeyUsageOID.TIME_STAMPING
    (folder / "tsa.pem").write_bytes(ROOTS.issue(key, purpose=purpose, common="time.example"))
    (folder / "tsa-key.pem").write_bytes(key_pem(key))
    (folder / "serial").write_text("01\n")
    (folder / "tsa.cnf").write_text(TIMESTAMPING.format(folder=folder))

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            (folder / "query").write_bytes(self.rfile.read(int(self.headers["Content-Length"])))
            config = ("-config", str(folder / "tsa.cnf"), "-section", "tsa")
            files = ("-queryfile", str(folder / "query"), "-out", str(folder / "reply"))
            subprocess.run(["openssl", "ts", "-reply", *config, *files], check=True, capture_output=True)
            reply = (folder / "reply").read_bytes()
            self.send_response(200)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.send_header("Content-Length", str(len(reply)))
            self.end_headers()
            self.wfile.write(reply)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
