"""The signature of the model page."""

import pytest

from tintype.domain.signature import is_valid, read_signature, sign

HEX = "dad132e791da142de62323cd2a6e8abae68f8cd507430208272e8434f203f149"


def test_check_06_the_published_vector_comes_out() -> None:
    assert sign(key="key", secret="secret", nonce="123") == HEX


@pytest.mark.parametrize(
    "header",
    [
        HEX,
        f"SHA2-256(stdin)= {HEX}",
        f"(stdin)= {HEX}",
        f"{HEX} *stdin",
        f"HMAC-SHA2-256(stdin)= {HEX}",
        HEX.upper(),
        f'"{HEX}"',
    ],
)
def test_check_07_08_what_shells_add_to_a_signature_is_tolerated(header: str) -> None:
    assert is_valid(key="key", secret="secret", nonce="123", header=header)


@pytest.mark.parametrize(
    "header",
    ["", "abc", HEX[:-1], HEX + "0", f"{HEX} {HEX}", f"{HEX},{'0' * 64}", HEX.replace("d", "g"), "0" * 64],
)
def test_check_09_without_exactly_one_run_of_64_digits_there_is_no_signature(header: str) -> None:
    assert not is_valid(key="key", secret="secret", nonce="123", header=header)


def test_shorter_hex_like_runs_do_not_count() -> None:
    assert read_signature(f"SHA2-256 deadbeef {HEX} 256") == HEX


@pytest.mark.parametrize("nonce", ["7", "1734513807123456789", "007", "18446744073709551617"])
def test_check_12_a_nonce_is_the_text_that_was_sent(nonce: str) -> None:
    header = sign(key="key", secret="secret", nonce=nonce)

    assert is_valid(key="key", secret="secret", nonce=nonce, header=header)
    assert not is_valid(key="key", secret="secret", nonce=f"0{nonce}", header=header)
