"""Batches to train on: scenes of one canvas or edits, with what is said of each."""

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from training.packages import WORK
from training.scenes import SQUARE

BATCH = 96
EMPTY = 0.10  #: share of the batch that gets no prompt
SHARES = {"plain": 0.40, "recoloured": 0.14, "styled": 0.14, "background": 0.12, "count": 0.08, "pair": 0.12}
OBLONG = 0.2  #: share of the batches that are not of the square canvas
EDITS = 0.12  #: share of the batches that are edits
BLUR = 0.35  #: most noise on the latents of a reference: the grown encoder is not exact


@dataclass
class Batch:
    """Examples of one shape."""

    clean: Tensor  #: (B, tokens, 128)
    context: Tensor  #: (B, LENGTH, 384)
    canvas: tuple[int, int]
    given: Tensor | None = None  #: (B, 16, 128), the reference pictures of edits


class Choices:
    """Captions with weights for each of many pictures, drawn from in bulk."""

    def __init__(self, forms: Sequence[dict[str, float]], place: dict[str, int]) -> None:
        most = max(len(own) for own in forms)
        self.captions = torch.zeros(len(forms), most, dtype=torch.long)
        self.weights = torch.zeros(len(forms), most)
        for row, own in enumerate(forms):
            self.captions[row, : len(own)] = torch.tensor([place[form] for form in own])
            self.weights[row, : len(own)] = torch.tensor(list(own.values()))

    def draw(self, index: Tensor) -> Tensor:
        """One caption for each picture: indices into the features."""
        choice = torch.multinomial(self.weights[index], 1)
        return self.captions[index].gather(1, choice).flatten()


class Examples:
    """Scenes and edits, and what may be said of each."""

    def __init__(self) -> None:
        content = json.loads((WORK / "scenes.json").read_text())
        place = {caption: index for index, caption in enumerate(content["captions"])}
        self.latents: list[Tensor] = torch.load(WORK / "latents.pt")
        self.features: Tensor = torch.load(WORK / "features.pt", mmap=True)  #: row 0: the empty prompt
        self.content = content
        self.said = Choices([scene["forms"] for scene in content["scenes"]], place)
        self.groups: dict[tuple[int, int], dict[str, Tensor]] = {}
        rows: dict[tuple[int, int], dict[str, list[int]]] = {}
        for index, scene in enumerate(content["scenes"]):
            canvas = (scene["canvas"][0], scene["canvas"][1])
            kind = "plain" if scene["kind"] == "oblong" else scene["kind"]
            rows.setdefault(canvas, {}).setdefault(kind, []).append(index)
        for canvas, kinds in rows.items():
            self.groups[canvas] = {kind: torch.tensor(indices) for kind, indices in kinds.items()}
        self.oblong = [canvas for canvas in self.groups if canvas != SQUARE]
        self.edits = torch.tensor([edit[:2] for edit in content["edits"]])
        self.asked = Choices([edit[2] for edit in content["edits"]], place)

    def tokens(self, index: Tensor) -> Tensor:
        """(B, tokens, 128) of scenes of one canvas."""
        return torch.stack([self.latents[i] for i in index.tolist()]).float()

    def scenes(self, size: int, canvas: tuple[int, int]) -> Tensor:
        """Indices of random scenes of one canvas, in the shares of their kinds."""
        kinds = self.groups[canvas]
        shares = torch.tensor([SHARES[kind] for kind in kinds])
        which = torch.multinomial(shares, size, replacement=True)
        lists = list(kinds.values())
        return torch.stack([lists[k][torch.randint(len(lists[k]), ())] for k in which.tolist()])

    def context(self, captions: Tensor, empty: float) -> Tensor:
        """(B, LENGTH, 384), some of them of no prompt."""
        captions = torch.where(torch.rand(len(captions)) < empty, 0, captions)
        return self.features[captions].float()

    def draw(self, *, empty: float = EMPTY, size: int = BATCH) -> Batch:
        """A batch of one kind or another; fewer where the canvas has more tokens."""
        chance = random.random()
        if chance < EDITS:
            size = size * 2 // 3
            index = torch.randint(len(self.edits), (size,))
            given, wanted = self.tokens(self.edits[index, 0]), self.tokens(self.edits[index, 1])
            given = given + BLUR * torch.rand(size, 1, 1) * torch.randn_like(given)
            return Batch(wanted, self.context(self.asked.draw(index), empty), SQUARE, given)
        canvas = random.choice(self.oblong) if chance < EDITS + OBLONG else SQUARE
        size = size if canvas == SQUARE else size * 3 // 4 if canvas[0] * canvas[1] == 24 else size * 5 // 8
        index = self.scenes(size, canvas)
        return Batch(self.tokens(index), self.context(self.said.draw(index), empty), canvas)
