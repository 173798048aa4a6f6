"""Batches to train on: scenes of one canvas or edits, with what is said of each."""

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from training.packages import WORK
from training.scenes import SQUARE
from training.text import LENGTH

BATCH = 96
EMPTY = 0.10  #: share of the batch that gets no prompt
SHARES = {
    "plain": 0.29, "recoloured": 0.11, "styled": 0.20, "background": 0.14, "count": 0.08, "pair": 0.14,
    "worn": 0.04,
}  # fmt: skip
OBLONG = 0.3  #: share of the batches that are not of the square canvas
EDITS = 0.08  #: share of the batches that are edits
HARD = 3.0  #: how much more often than others the scenes are shown that are drawn worst, at most
TIMES = 20  #: intervals of time for which usual errors are kept


@dataclass
class Batch:
    """Examples of one shape."""

    clean: Tensor  #: (B, tokens, 128)
    context: Tensor  #: (B, LENGTH, 384)
    canvas: tuple[int, int]
    given: Tensor | None = None  #: (B, 16, 128), the reference pictures of edits
    scenes: Tensor | None = None  #: (B,) their indices; −1 where no prompt is given


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

    def __init__(self, *, edits: float = EDITS) -> None:
        self.share = edits
        content = json.loads((WORK / "scenes.json").read_text())
        place = {caption: index for index, caption in enumerate(content["captions"])}
        self.latents: list[Tensor] = torch.load(WORK / "latents.pt")
        self.features: Tensor = torch.load(WORK / "features.pt", mmap=True)  #: row 0: the empty prompt
        self.content = content
        self.said = Choices([scene["forms"] for scene in content["scenes"]], place)
        self.hard = torch.ones(len(self.latents))  #: errors of scenes beside the usual error at the same time
        self.usual = torch.zeros(TIMES)  #: error by time
        self.groups: dict[tuple[int, int], dict[str, Tensor]] = {}
        rows: dict[tuple[int, int], dict[str, list[int]]] = {}
        for index, scene in enumerate(content["scenes"]):
            if not len(self.latents[index]):
                continue
            canvas = (scene["canvas"][0], scene["canvas"][1])
            kind = "plain" if scene["kind"] == "oblong" else scene["kind"]
            rows.setdefault(canvas, {}).setdefault(kind, []).append(index)
        for canvas, kinds in rows.items():
            self.groups[canvas] = {kind: torch.tensor(indices) for kind, indices in kinds.items()}
        self.oblong = [canvas for canvas in self.groups if canvas != SQUARE]
        changes = [
            edit for edit in content["edits"] if len(self.latents[edit[0]]) and len(self.latents[edit[1]])
        ]
        self.edits = torch.tensor([edit[:2] for edit in changes])
        self.asked = Choices([edit[2] for edit in changes], place)
        wanted = [tuple(content["scenes"][after]["canvas"]) for _, after, _ in changes]
        self.leading = {
            canvas: torch.tensor([i for i, own in enumerate(wanted) if own == canvas])
            for canvas in set(wanted)
        }  #: the edits that lead to a canvas; all start on the square one

    def tokens(self, index: Tensor) -> Tensor:
        """(B, tokens, 128) of scenes of one canvas."""
        return torch.stack([self.latents[i] for i in index.tolist()]).float()

    def scenes(self, size: int, canvas: tuple[int, int]) -> Tensor:
        """Indices of random scenes of one canvas, in the shares of their kinds."""
        kinds = self.groups[canvas]
        shares = torch.tensor([SHARES[kind] for kind in kinds])
        which = torch.multinomial(shares, size, replacement=True)
        found = torch.empty(size, dtype=torch.long)
        for place, rows in enumerate(kinds.values()):
            mine = which == place
            weights = self.hard[rows].clamp(1 / HARD, HARD)
            found[mine] = rows[torch.multinomial(weights, int(mine.sum()) or 1, replacement=True)][
                : mine.sum()
            ]
        return found

    def learn(self, batch: Batch, t: Tensor, errors: Tensor) -> None:
        """Remember how well scenes were drawn, (B,), so that hard ones come more often."""
        bins = (t * TIMES).long().clamp(0, TIMES - 1)
        if batch.scenes is None:
            return
        told = batch.scenes >= 0
        bins, errors, scenes = bins[told], errors[told], batch.scenes[told]
        for place in bins.unique().tolist():
            mean = errors[bins == place].mean()
            self.usual[place] = torch.lerp(self.usual[place], mean, 0.05) if self.usual[place] else mean
        self.hard[scenes] = torch.lerp(self.hard[scenes], errors / self.usual[bins], 0.3)

    def withheld(self, captions: Tensor, empty: float) -> Tensor:
        """The captions, (B,), some of them replaced by that of no prompt."""
        return torch.where(torch.rand(len(captions)) < empty, 0, captions)

    def draw(self, *, empty: float = EMPTY, size: int = BATCH) -> Batch:
        """A batch of one kind or another; fewer where the canvas has more tokens."""
        canvas = random.choice(self.oblong) if self.oblong and random.random() < OBLONG else SQUARE
        size = size * (LENGTH + SQUARE[0] * SQUARE[1]) // (LENGTH + canvas[0] * canvas[1])
        if random.random() < self.share:
            own = self.leading[canvas]
            index = own[torch.randint(len(own), (size * 2 // 3,))]
            given, wanted = self.tokens(self.edits[index, 0]), self.tokens(self.edits[index, 1])
            captions = self.withheld(self.asked.draw(index), empty)
            return Batch(wanted, self.features[captions].float(), canvas, given)
        index = self.scenes(size, canvas)
        captions = self.withheld(self.said.draw(index), empty)
        scenes = torch.where(captions == 0, -1, index)
        return Batch(self.tokens(index), self.features[captions].float(), canvas, scenes=scenes)
