"""Signing requests."""

from tintype_client.credentials import Credentials, sign


def test_the_signature_of_the_protocols_test_vector() -> None:
    signature = sign(key="key", secret="secret", nonce="123")

    assert signature == "dad132e791da142de62323cd2a6e8abae68f8cd507430208272e8434f203f149"


def test_every_request_has_a_nonce_of_its_own_that_reads_as_the_time_in_milliseconds() -> None:
    credentials = Credentials(key="key", secret="secret")

    nonces = [int(credentials.headers()["x-nonce"]) for _ in range(1000)]

    assert nonces == sorted(set(nonces))
    assert len(str(nonces[0])) == 13


def test_without_a_secret_the_key_is_sent_alone() -> None:
    assert Credentials(key="key").headers() == {"x-api-key": "key"}


def test_the_secret_is_not_in_the_representation() -> None:
    assert "secret" not in repr(Credentials(key="key", secret="secret"))
