"""Which terms begin at a word: a tree over words, so that many terms cost no more than few."""

from collections.abc import Iterator, Sequence


class Node:
    """A place in the tree: what has been read so far, and what may follow."""

    __slots__ = ("exact", "harmless", "lengths", "lists", "stems")

    def __init__(self) -> None:
        self.exact: dict[str, Node] = {}
        self.stems: dict[str, Node] = {}
        self.lengths: tuple[int, ...] = ()
        """Of the stems, in letters."""
        self.lists: frozenset[str] = frozenset()
        """The lists of which a term ends here."""
        self.harmless = False
        """Whether an exception ends here."""

    def grow(self, pattern: Sequence[str]) -> "Node":
        """The place after the pattern, made if missing."""
        node = self
        for word in pattern:
            if word.endswith("*"):
                stem = word[:-1]
                node.lengths = tuple(sorted({*node.lengths, len(stem)}))
                node = node.stems.setdefault(stem, Node())
            else:
                node = node.exact.setdefault(word, Node())
        return node

    def after(self, word: str) -> list["Node"]:
        """The places that one word leads to: at most one for each length of stem, and one more."""
        found = [self.exact[word]] if word in self.exact else []
        found += [self.stems[word[:length]] for length in self.lengths if word[:length] in self.stems]
        return found

    def ends(self, words: Sequence[str], start: int) -> Iterator[tuple[int, "Node"]]:
        """Every term and exception that begins at a word: where it ends, and its place."""
        open_ends = [(start, self)]
        while open_ends:
            place, node = open_ends.pop()
            if place == len(words):
                continue
            for following in node.after(words[place]):
                if following.lists or following.harmless:
                    yield place + 1, following
                open_ends.append((place + 1, following))
