"""What counts as the address of a server on the web: one rule for all that callers give us to call."""

import re
import unicodedata
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple
from urllib.parse import SplitResult, unquote, urlsplit

import idna

from tintype.domain.errors import NoWebAddress

DEFAULT_PORTS = {"http": 80, "https": 443}
LONGEST_NAME = 253
SHOWN = 200
"""Characters of an address that a message repeats."""
_LABEL = re.compile(r"[a-z0-9_-]{1,63}", re.ASCII)
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)
_IN_BRACKETS = re.compile(r"(?:.*@)?\[[^\[\]]*\](?::[0-9]*)?")


class WebAddress(NamedTuple):
    """An absolute http(s) URL that names a server."""

    url: str
    """As it was given, but for a name in another script, which stands in ASCII."""
    host: str
    """The name in ASCII and lower case, without a last dot; or the numeric address, IPv6 without brackets."""
    port: int

    @property
    def server(self) -> str:
        """`name:port`."""
        return f"{self.host}:{self.port}"


def read_web_address(text: str) -> WebAddress:
    """The address that the text is. Raises NoWebAddress.

    A host is a name that DNS can carry, in any script, or a canonical numeric address. Other spellings of
    numbers (`127.1`, `0x7f000001`) and IPv6 zones mean different things to different programs, and are none.
    """
    try:
        if not all(map(_is_visible, text)):
            raise ValueError
        parts = urlsplit(text)
        port = parts.port or DEFAULT_PORTS[parts.scheme]
        if parts.port == 0:
            raise ValueError
        _check_credentials(parts)
        host = _host(parts)
        return WebAddress(text if parts.netloc.isascii() else _with_host(parts, host), host, port)
    except (ValueError, KeyError):
        raise NoWebAddress(url=shown_address(text)) from None


def is_web_address(text: str) -> bool:
    """Whether `read_web_address` reads it."""
    try:
        read_web_address(text)
    except NoWebAddress:
        return False
    return True


def shown_address(text: str) -> str:
    """As much of it as a message repeats."""
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def _is_visible(character: str) -> bool:
    """No space, control character or surrogate, which no request line can carry."""
    return not character.isspace() and unicodedata.category(character) not in ("Cc", "Cs")


def _host(parts: SplitResult) -> str:
    host = parts.hostname or ""
    if "[" in parts.netloc:
        if not _IN_BRACKETS.fullmatch(parts.netloc) or "%" in host:
            raise ValueError
        return str(IPv6Address(host))
    full_name = host if host.isascii() else _in_ascii(host)
    name = full_name.removesuffix(".")
    labels = name.split(".")
    if _NUMBER.fullmatch(labels[-1]):
        return str(IPv4Address(full_name))
    if len(name) > LONGEST_NAME or not all(map(_LABEL.fullmatch, labels)):
        raise ValueError
    if any(label.startswith("xn--") for label in labels):
        _check_punycode(name)
    return name


def _in_ascii(name: str) -> str:
    """IDNA 2008 by UTS 46, or else IDNA 2003, which has names of symbols. Raises ValueError.

    What both would leave out unseen is refused: it makes another server's name of what a person reads.
    """
    if any(map(_is_unseen, name)):
        raise ValueError
    try:
        return idna.encode(name, uts46=True).decode("ascii")
    except UnicodeError:
        return name.encode("idna").decode("ascii").lower()


def _is_unseen(character: str) -> bool:
    return unicodedata.category(character) == "Cf" or "VARIATION SELECTOR" in unicodedata.name(character, "")


def _with_host(parts: SplitResult, host: str) -> str:
    credentials, at, server = parts.netloc.rpartition("@")
    _, colon, port = server.partition(":")
    return parts._replace(netloc=f"{credentials}{at}{host}{colon}{port}").geturl()


def _check_punycode(name: str) -> None:
    try:
        idna.decode(name)
    except UnicodeError:
        name.encode("ascii").decode("idna")


def _check_credentials(parts: SplitResult) -> None:
    """Raises ValueError for a user or a password that HTTP cannot carry."""
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if ":" in user:
        raise ValueError
    f"{user}:{password}".encode("latin-1")
