"""What a stored file is called: as its caller called it, less whatever could mean more than a name."""

import unicodedata

from tintype.domain.file_types import FileType, extension_of

LONGEST = 120
"""Characters."""
_MEANINGFUL = frozenset('<>:"|?*%#&')
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def safe_name(given: str, kind: FileType) -> str:
    """A name of one path segment, with an extension that fits the type: `../é|.PNG` → `é_.PNG`."""
    last = given.replace("\\", "/").rpartition("/")[2]
    name = unicodedata.normalize("NFC", "".join(map(_safe, last))).strip(" .")
    if extension_of(name) not in (kind.extension, *kind.others):
        name = f"{name or 'file'}.{kind.extension}"
    stem, _, extension = name.rpartition(".")
    return f"{_shortened(stem, LONGEST - len(extension) - 1)}.{extension}"


def _safe(character: str) -> str:
    if unicodedata.category(character) in _UNSEEN:
        return ""
    return "_" if character in _MEANINGFUL else character


def _shortened(stem: str, length: int) -> str:
    """At most so many characters, and twice as many bytes: addresses have limits of their own."""
    return stem[:length].encode()[: 2 * length].decode("utf-8", "ignore").rstrip(" .") or "file"
