"""Forward passes over jobs of one layout, made smaller where memory does not suffice."""

from collections.abc import Callable, Hashable, Sequence
from functools import lru_cache

from tintype.engine.allocator import give_back
from tintype.engine.engine import is_device_lost, is_out_of_memory
from tintype.engine.flux2.batch import Batch, Positions, Stepped
from tintype.engine.flux2.checkpoint import Checkpoint
from tintype.engine.flux2.layout import Layout, image_positions, text_positions
from tintype.engine.flux2.memory import TooLarge, in_halves
from tintype.engine.flux2.runs import Run
from tintype.engine.log import log


class Steps:
    """One batch for each layout, laid out anew when other runs step together."""

    def __init__(
        self, checkpoint: Checkpoint, *, max_rows: int, max_tokens: int, make_room: Callable[[], None]
    ) -> None:
        """A forward pass has at most `max_rows` rows, and at most `max_tokens` tokens, if it can."""
        self._checkpoint = checkpoint
        self.max_rows = max_rows
        self.max_tokens = max_tokens
        self._make_room = make_room
        self._batches: dict[Layout, Batch] = {}
        self._stepped: list[Stepped] = []
        length = checkpoint.text.empty.shape[0]
        self._text_positions = text_positions(length).to(checkpoint.device)
        self._positions = lru_cache(maxsize=32)(self._new_positions)

    def capacity(self, group: Hashable) -> int:
        assert isinstance(group, Layout)
        return min(self.max_rows, self.max_tokens // self.tokens(group))

    def tokens(self, layout: Layout) -> int:
        """Of a row: image and text."""
        return layout.tokens + self._checkpoint.text.empty.shape[0]

    def begin(self) -> None:
        """What has been stepped before can no longer be shown."""
        self._stepped = []

    def forward(self, runs: Sequence[Run]) -> dict[str, Exception]:
        """Step the runs together; if that fails, in smaller company, to tell the ones that cannot."""
        problem = self._attempt(runs) if runs else None
        if problem is None:
            return {}
        too_large = isinstance(problem, TooLarge)
        if too_large:
            self._use_less(runs)
        if len(runs) == 1 and too_large:
            self._make_room()
            problem = self._attempt(runs)
        if len(runs) == 1:
            return {runs[0].job.id: problem} if problem else {}
        parts = in_halves(runs) if too_large else [[run] for run in runs]
        return {job_id: reason for part in parts for job_id, reason in self.forward(part).items()}

    def of(self, run: Run) -> Stepped | None:
        """What the run's last step was made of."""
        return next((stepped for stepped in self._stepped if run in stepped.runs), None)

    def leave(self, run: Run) -> None:
        """The run is no longer part of any step; its latents are its own."""
        batch = self._batches.get(run.layout)
        if batch is not None and run in batch.runs:
            batch.release()
            del self._batches[run.layout]

    def forget(self) -> None:
        """Positions, which are computed again when they are needed."""
        self._positions.cache_clear()

    def _attempt(self, runs: Sequence[Run]) -> Exception | None:
        """Why the runs could not be stepped together, without what that held in memory."""
        try:
            self._stepped.append(self._batch(runs).step(self._checkpoint.forward))
        except Exception as error:
            log("step failed", jobs=[run.job.id for run in runs], error=repr(error))
            if is_device_lost(error):
                raise
            return TooLarge() if is_out_of_memory(error) else error.with_traceback(None)
        return None

    def _use_less(self, runs: Sequence[Run]) -> None:
        """From now on, no step has more than half of the tokens that did not fit into memory."""
        if batch := self._batches.pop(runs[0].layout, None):
            batch.release()
        give_back()
        if len(runs) > 1:
            rows = sum(2 if run.guided else 1 for run in runs)
            tried = rows * self.tokens(runs[0].layout)
            self.max_tokens = min(self.max_tokens, tried // 2)
            log("steps made smaller", most_tokens=self.max_tokens)

    def _batch(self, runs: Sequence[Run]) -> Batch:
        layout = runs[0].layout
        batch = self._batches.get(layout)
        if batch is None or not batch.holds(runs):
            if batch is not None:
                batch.release()
            batch = self._batches[layout] = Batch(
                runs,
                empty=self._checkpoint.text.empty,
                positions=self._positions(layout),
                embedded_guidance=self._checkpoint.embedded_guidance,
            )
        return batch

    def _new_positions(self, layout: Layout) -> Positions:
        image = image_positions(layout).to(self._checkpoint.device)
        return Positions(image=image, text=self._text_positions)
