"""One rule says what may be called, and the client can call all of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from tintype.domain.errors import NoWebAddress
from tintype.domain.web_address import is_web_address, read_web_address


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("http://example.org", "example.org:80"),
        ("HTTPS://Example.ORG/hook?a=b#c", "example.org:443"),
        ("http://user:secret@example.org:8080/", "example.org:8080"),
        ("http://my_service:9000/", "my_service:9000"),
        ("http://example.org./", "example.org:80"),
        ("http://192.0.2.7/", "192.0.2.7:80"),
        ("http://[2001:DB8::7]:81/", "2001:db8::7:81"),
        ("http://bücher.example/", "xn--bcher-kva.example:80"),
        ("http://xn--bcher-kva.example/", "xn--bcher-kva.example:80"),
        ("http://☃.example/", "xn--n3h.example:80"),
    ],
)
def test_an_address_names_its_server(url: str, server: str) -> None:
    assert read_web_address(url).server == server


@pytest.mark.parametrize(
    "url",
    [
        *("http://127.1/", "http://2130706433/", "http://0x7f000001/", "http://0x7f.1/", "http://1.2.3/"),
        *("http://01.2.3.4/", "http://256.1.1.1/", "http://1.2.3.4.5/", "http://1.2.3.4./", "http://127。1/"),
        *("http://[::1", "http://[::1]x/", "http://[v1.a]/", "http://[fe80::1%25eth0]/", "http://::1/"),
        *("http://a..b/", "http://.a/", "http://./", "http://a%41.example/", "http://a\\b/", "http://a,b/"),
        *("http://xn--zzz--a/", "http://e\u200bvil.example/", "http://\u00ad/", "http://\ud800/"),
        *("http://h:0/", "http://h:65536/", "http://h:+1/", "http://h:x/", "http://a b/", "http://h/\ud800"),
        *("http://h/\u2028", "http://h/\x85", "http://a%3Ab:pw@h/", "http://a:%E2%82%AC@h/"),
        *("http://" + "a" * 64 + "/", "http://" + "a." * 127 + "a/", "ftp://h/", "//h/", "h", ""),
    ],
)
def test_what_programs_read_differently_is_no_address(url: str) -> None:
    assert not is_web_address(url)
    with pytest.raises(NoWebAddress):
        read_web_address(url)


@given(
    host=st.text(max_size=12) | st.from_regex(r"\A[0-9a-fx.:\[\]%-]{1,12}\Z"),
    rest=st.text(max_size=8) | st.just("/"),
)
def test_whatever_is_read_can_be_asked(host: str, rest: str) -> None:
    try:
        address = read_web_address(f"http://{host}{rest}")
    except NoWebAddress:
        return

    url = URL(address.url, encoded=address.url.isascii())

    assert url.host
    assert (url.raw_host or "").removesuffix(".").lower() == address.host
    assert url.port == address.port
