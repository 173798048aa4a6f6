"""Names that some clients write for lists: `x[]` is `x`, where `x` is a parameter that takes a list."""

from collections.abc import Collection

MARK = "[]"


def plain_name(name: str, lists: Collection[str]) -> str:
    """The name without the mark; of a name that is not among `lists` it is a part."""
    plain = name.removesuffix(MARK)
    return plain if plain in lists else name
