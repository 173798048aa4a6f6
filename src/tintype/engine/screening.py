"""The gate that looks at pictures: what the classifier sees in one, and whether its job allows that.

Knows pixels and thresholds; nothing of levels, policies or tasks. The classifier is loaded with the first
picture that is looked at, and runs on one thread.
"""

import math
import threading
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import tintype
from tintype.engine.engine import BadJob, PictureRefused, reading
from tintype.engine.images.encode import Pixels
from tintype.engine.images.reading import read_picture
from tintype.engine.log import log
from tintype.engine.protocol import Job, Refused, Stage

CLASSIFIER = Path(tintype.__file__).parent / "models" / "moderation" / "classifier.onnx"
SIDE = 224
REMEMBERED = 4096
"""Reference pictures of which the scores are kept."""
CLASSES = ("drawing", "hentai", "neutral", "porn", "sexy")
"""In the order of the classifier's outputs."""
CATEGORIES: Mapping[str, frozenset[str]] = {
    "sexual": frozenset({"hentai", "porn"}),
    "suggestive": frozenset({"hentai", "porn", "sexy"}),
}
"""What a picture can be refused for → the classes whose probabilities count together."""


class Screening:
    """Looks at pictures. May be asked by several threads."""

    def __init__(self, classifier: Path = CLASSIFIER) -> None:
        self._classifier = classifier
        self._lock = threading.Lock()
        self._session: Any = None
        self._seen: dict[str, dict[str, float]] = {}

    def refused(self, job: Job, stage: Stage, picture: Pixels) -> Refused | None:
        """The job's end if the picture has what the job does not allow at this stage.

        Looks at nothing where the job allows everything. Raises `BadJob` if it should look and cannot.
        """
        allowed = job.screen.image if stage == "image" else job.screen.input
        if not allowed:
            return None
        return _judged(job, stage, self.scores(picture), allowed)

    def demand(self, job: Job, digests: Sequence[str]) -> None:
        """Raises `PictureRefused` if the job does not allow one of its reference pictures, `BadJob` if one
        cannot be read. What was seen in a picture is remembered by its digest."""
        if not job.screen.input:
            return
        for number, (file, digest) in enumerate(zip(job.images, digests, strict=True), start=1):
            with self._lock:
                scores = self._seen.get(digest)
            if scores is None:
                with reading(number):
                    scores = self.scores(np.asarray(read_picture(file)))
                self._remember(digest, scores)
            if refused := _judged(job, "input", scores, job.screen.input):
                raise PictureRefused(refused)

    def scores(self, picture: Pixels) -> dict[str, float]:
        """Each category's score, 0..1."""
        classes = dict(zip(CLASSES, self.look(picture), strict=True))
        return {name: min(1.0, sum(classes[each] for each in of)) for name, of in CATEGORIES.items()}

    def look(self, picture: Pixels) -> list[float]:
        """(height, width, 3) → the probabilities of CLASSES, adding up to 1."""
        small = Image.fromarray(picture).resize((SIDE, SIDE), Image.Resampling.BILINEAR)
        (found,) = self._loaded().run(["scores"], {"pixels": np.asarray(small)[None]})
        return [float(probability) for probability in found[0]]

    def _remember(self, digest: str, scores: dict[str, float]) -> None:
        with self._lock:
            self._seen[digest] = scores
            while len(self._seen) > REMEMBERED:
                del self._seen[next(iter(self._seen))]

    def _loaded(self) -> Any:
        with self._lock:
            if self._session is None:
                try:
                    self._session = _load(self._classifier)
                except Exception as error:
                    log("no classifier", path=self._classifier, traceback=traceback.format_exc())
                    raise BadJob("The picture could not be moderated: there is no classifier.") from error
            return self._session


def _judged(
    job: Job, stage: Stage, scores: Mapping[str, float], allowed: Mapping[str, float]
) -> Refused | None:
    too_much = {name: score for name, score in scores.items() if score >= allowed.get(name, math.inf)}
    if not too_much:
        return None
    gravest = min(too_much, key=list(CATEGORIES).index)
    return Refused(id=job.id, stage=stage, category=gravest, score=too_much[gravest])


def _load(path: Path) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
