"""What an account may be called, and which passwords are worth having. Raises UnfitAccount."""

import re

from tintype.domain.errors import UnfitAccount

LONGEST_NAME = 200
LONGEST_EMAIL = 254
SHORTEST_PASSWORD, LONGEST_PASSWORD = 10, 1024
_EMAIL = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")


def check_name(name: str) -> str:
    """The name, if an account may be called so."""
    fits = 0 < len(name) <= LONGEST_NAME and name == name.strip() and name.isprintable() and "@" not in name
    if not fits:
        raise UnfitAccount(
            name=repr(name[:LONGEST_NAME]),
            problem=f"a name has 1 to {LONGEST_NAME} printable characters, no @ and no space at its ends",
        )
    return name


def check_email(name: str, email: str) -> str:
    """The e-mail address as it is kept: in lower case."""
    address = email.strip().lower()
    if len(address) > LONGEST_EMAIL or not address.isprintable() or not _EMAIL.fullmatch(address):
        raise UnfitAccount(name=name, problem=f"{email!r} is no e-mail address")
    return address


def check_password(name: str, password: str) -> str:
    """The password, if it is long enough to be worth hashing."""
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise UnfitAccount(
            name=name,
            problem=f"a password has {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters",
        )
    try:
        password.encode("utf-8")
    except UnicodeEncodeError:
        raise UnfitAccount(name=name, problem="a password is text that UTF-8 can hold") from None
    return password
