"""What counts as the address of something on the web."""

from urllib.parse import urlsplit


def is_web_url(text: str) -> bool:
    """Whether the text is an absolute http(s) URL with a host."""
    if any(character.isspace() or character < " " or character == "\x7f" for character in text):
        return False
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
