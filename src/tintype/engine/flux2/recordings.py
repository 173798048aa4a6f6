"""Forward passes that are recorded once and repeated: in fixed numbers of rows, from fixed places in memory.

A small forward pass takes longer to launch, kernel by kernel, than to compute. A recorded one is launched
as a whole. What is recorded cannot vary, so the rows are filled up to the next of a few fixed numbers;
rows do not meet in the transformer, so those that fill up change nothing. Passes with so many tokens that
computing outweighs launching stay as they are, without rows for nothing.

Knows how often what is recorded, not how: that is the recorder's (`tintype.engine.flux2.cuda_graphs`).
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from tintype.engine.engine import is_out_of_memory
from tintype.engine.log import log

ROWS = (1, 2, 4, 8, 16, 32)
"""Numbers of rows that passes are recorded for."""
MOST_WORK = 16e12
"""Floating-point operations of a recorded pass: on a large GPU some 20 ms, and longer is no launch."""
OFTEN = 8
"""A kind of pass is recorded when it has come up this many times: to record takes as long as a few."""
KEPT = 16
"""Recorded passes; the least recently used makes room."""
_APART = 0.02
"""Relative difference, in the Euclidean norm, between a repeated pass and the same one as it is."""

Pass = Callable[[], Tensor]
Recorder = Callable[[Pass], Pass]
"""What a pass does on the device, as something that does it again: from and to the same tensors."""


def padded_rows(rows: int) -> int | None:
    """The next number of rows that passes are recorded for; None if there is none."""
    return next((fixed for fixed in ROWS if rows <= fixed), None)


@dataclass(frozen=True)
class _Recording:
    inputs: Mapping[str, Tensor]
    repeat: Pass
    alive: Any
    """What the recording reads where it is, and what is known by identity."""

    def run(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Rows beyond those of the inputs keep what they had."""
        rows = len(inputs["hidden_states"])
        for name, tensor in inputs.items():
            self.inputs[name][:rows].copy_(tensor)
        return self.repeat()[:rows].clone()


class Recordings:
    """Stands in for a `Flux2Transformer2DModel` when it is called. For one thread.

    The transformer must remember its position embeddings: recordings read them where they are.
    """

    def __init__(self, transformer: Any, recorder: Recorder, *, most_tokens: int) -> None:
        """Passes of more tokens, image and text, are not recorded."""
        self._transformer = transformer
        self._most_tokens = most_tokens
        self._recorder: Recorder | None = recorder
        self._recordings: OrderedDict[Hashable, _Recording] = OrderedDict()
        self._seen: OrderedDict[Hashable, int] = OrderedDict()

    def of(self, transformer: Any) -> bool:
        """Whether this is the one; under a LoRA it is another."""
        return transformer is self._transformer

    def __call__(self, **inputs: Any) -> tuple[Tensor]:
        """As the transformer with `return_dict=False`; tensors of the job's rows may have any contents,
        everything else is a constant."""
        try:
            return (self._predict(*_split(inputs)),)
        except Exception as error:
            if is_out_of_memory(error):
                self.forget()
            raise

    def forget(self) -> None:
        """Give back the memory of all recordings."""
        self._recordings.clear()
        self._seen.clear()

    def prove(self, **inputs: Any) -> None:
        """Record such a pass and repeat it. Raises what the recorder raises, or `ValueError` if the repeated
        pass is not what it was."""
        tensors, constants = _split(inputs)
        assert self._recorder is not None
        self._record(self._recorder, tensors, constants)

    def _predict(self, inputs: Mapping[str, Tensor], constants: Mapping[str, Any]) -> Tensor:
        kind = self._kind(inputs, constants)
        if kind is None:
            return self._plain(inputs, constants)
        recording = self._recordings.get(kind)
        if recording is None and self._comes_often(kind):
            recording = self._try_to_record(kind, inputs, constants)
        if recording is None:
            return self._plain(inputs, constants)
        self._recordings.move_to_end(kind)
        return recording.run(inputs)

    def _plain(self, inputs: Mapping[str, Tensor], constants: Mapping[str, Any]) -> Tensor:
        velocity: Tensor = self._transformer(**inputs, **constants)[0]
        return velocity

    def _kind(self, inputs: Mapping[str, Tensor], constants: Mapping[str, Any]) -> Hashable | None:
        """What a recording must have in common with a pass; None if the pass is never recorded."""
        latents, text = inputs["hidden_states"], inputs["encoder_hidden_states"]
        rows = padded_rows(len(latents))
        if self._recorder is None or rows is None:
            return None
        if rows * (latents.shape[1] + text.shape[1]) > self._most_tokens:
            return None
        shapes = tuple((name, tuple(tensor.shape[1:])) for name, tensor in inputs.items())
        return rows, shapes, tuple((name, id(value)) for name, value in constants.items())

    def _comes_often(self, kind: Hashable) -> bool:
        self._seen[kind] = self._seen.pop(kind, 0) + 1
        if len(self._seen) > 4 * KEPT:
            self._seen.popitem(last=False)
        return self._seen[kind] >= OFTEN

    def _try_to_record(
        self, kind: Hashable, inputs: Mapping[str, Tensor], constants: Mapping[str, Any]
    ) -> _Recording | None:
        assert self._recorder is not None
        try:
            recording = self._record(self._recorder, inputs, constants)
        except Exception as error:
            if is_out_of_memory(error):
                raise
            log("forward passes are no longer recorded", error=repr(error))
            self._recorder = None
            self.forget()
            return None
        self._recordings[kind] = recording
        while len(self._recordings) > KEPT:
            self._recordings.popitem(last=False)
        return recording

    def _record(
        self, recorder: Recorder, inputs: Mapping[str, Tensor], constants: Mapping[str, Any]
    ) -> _Recording:
        filled = {name: _filled(tensor) for name, tensor in inputs.items()}
        rotary = [self._transformer.pos_embed(constants[name]) for name in ("txt_ids", "img_ids")]
        repeat = recorder(lambda: self._plain(filled, constants))
        recording = _Recording(filled, repeat, (constants, rotary))
        repeated, wanted = recording.run(inputs).float(), self._plain(inputs, constants).float()
        apart = float((repeated - wanted).norm() / wanted.norm())
        if not apart <= _APART:
            raise ValueError(f"a repeated forward pass is {apart:.1e} from the same one as it is")
        return recording


def _split(inputs: Mapping[str, Any]) -> tuple[Mapping[str, Tensor], Mapping[str, Any]]:
    """What has the job's rows, and what is the same in every pass of this kind."""
    names = ("hidden_states", "timestep", "guidance", "encoder_hidden_states")
    rows = {name: inputs[name] for name in names if inputs.get(name) is not None}
    return rows, {name: value for name, value in inputs.items() if name not in rows}


def _filled(tensor: Tensor) -> Tensor:
    """(rows, …) → a copy with as many rows as are recorded; the first one fills up."""
    rows = padded_rows(len(tensor))
    assert rows is not None
    filled = tensor[:1].expand(rows, *tensor.shape[1:]).clone()
    filled[: len(tensor)] = tensor
    return filled
