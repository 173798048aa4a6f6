"""The gate that looks at pictures, with the classifier that is shipped."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tintype.engine.engine import BadJob, PictureRefused
from tintype.engine.flux2.engine import Flux2Engine
from tintype.engine.images.metadata import digests_of
from tintype.engine.process import start_host
from tintype.engine.protocol import Drawn, Failed, Refused, Screen, Started
from tintype.engine.screening import SIDE, Screening

from .hosts import until
from .jobs import job
from .references import reference

ORIGINAL = {
    "black": (0.024494, 0.022523, 0.950719, 0.001114, 0.001150),
    "white": (0.038579, 0.009088, 0.952245, 0.000015, 0.000074),
    "skin": (0.130995, 0.096455, 0.771989, 0.000170, 0.000391),
    "noise": (0.162214, 0.018777, 0.818021, 0.000340, 0.000648),
    "disc": (0.061485, 0.006962, 0.931523, 0.000003, 0.000027),
}
"""What nsfwjs itself says of them in TensorFlow.js (`python -m training.classifier --verify`)."""


@pytest.fixture(scope="module")
def screening() -> Screening:
    return Screening()


def picture(name: str) -> NDArray[np.uint8]:
    match name:
        case "black":
            return np.zeros((SIDE, SIDE, 3), np.uint8)
        case "white":
            return np.full((SIDE, SIDE, 3), 255, np.uint8)
        case "skin":
            return np.full((SIDE, SIDE, 3), (224, 172, 140), np.uint8)
        case "noise":
            return np.random.default_rng(20).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
        case _:
            rows, columns = np.mgrid[:SIDE, :SIDE]
            disc = ((rows - 112) ** 2 + (columns - 100) ** 2 < 70**2)[..., None]
            return np.where(disc, np.uint8([210, 150, 120]), np.uint8([250, 250, 240])).astype(np.uint8)


@pytest.mark.parametrize("name", ORIGINAL)
def test_the_classifier_sees_what_the_original_sees(screening: Screening, name: str) -> None:
    assert screening.look(picture(name)) == pytest.approx(ORIGINAL[name], abs=2e-4)


def test_scores_add_up_the_classes_of_a_category(screening: Screening) -> None:
    _, hentai, _, porn, sexy = screening.look(picture("skin"))

    scores = screening.scores(picture("skin"))

    assert scores == pytest.approx({"sexual": hentai + porn, "suggestive": hentai + porn + sexy})


@pytest.mark.parametrize("shape", [(64, 2048, 3), (1024, 768, 3)])
def test_pictures_of_every_shape_are_looked_at(screening: Screening, shape: tuple[int, ...]) -> None:
    assert sum(screening.look(np.full(shape, 200, np.uint8))) == pytest.approx(1, abs=1e-3)


def test_a_picture_is_refused_from_its_threshold_on(screening: Screening) -> None:
    score = screening.scores(picture("skin"))["sexual"]
    at, above = (job(screen=Screen(image={"sexual": limit})) for limit in (score, score + 1e-6))

    refused = screening.refused(at, "image", picture("skin"))

    assert refused == Refused(id=at.id, stage="image", category="sexual", score=score)
    assert screening.refused(above, "image", picture("skin")) is None
    assert screening.refused(at, "input", picture("skin")) is None


def test_the_graver_category_is_named(screening: Screening) -> None:
    strict = job(screen=Screen(input={"suggestive": 0.0, "sexual": 0.0}))

    refused = screening.refused(strict, "input", picture("skin"))

    assert refused is not None
    assert (refused.stage, refused.category) == ("input", "sexual")


def test_where_everything_is_allowed_nothing_is_looked_at(tmp_path: Path) -> None:
    blind = Screening(tmp_path / "missing.onnx")

    assert blind.refused(job(), "image", picture("black")) is None


def test_a_picture_that_cannot_be_looked_at_does_not_pass(tmp_path: Path) -> None:
    blind = Screening(tmp_path / "missing.onnx")

    with pytest.raises(BadJob, match="could not be moderated"):
        blind.refused(job(screen=Screen(image={"sexual": 0.5})), "image", picture("black"))


def test_a_reference_picture_is_refused_at_its_own_stage(screening: Screening) -> None:
    asked = job(images=(reference(64, 64),), screen=Screen(input={"sexual": 0.0}))

    with pytest.raises(PictureRefused) as refused:
        screening.demand(asked, digests_of(asked))
    assert refused.value.refused.stage == "input"
    screening.demand(job(images=asked.images), digests_of(asked))
    screening.demand(job(images=asked.images, screen=Screen(input={"sexual": 1.0})), digests_of(asked))


@pytest.mark.anyio
async def test_a_refused_picture_never_leaves_the_host(klein: Path) -> None:
    forbidden = Screen(input={"sexual": 0.0}, image={"sexual": 0.0})

    async with start_host(weights=str(klein), device="cpu", threads=1) as host:
        await host.send(job(id="hidden", screen=forbidden))
        await host.send(job(id="unread", images=(reference(64, 64),), screen=forbidden))
        await host.send(job(id="shown", screen=Screen(image={"sexual": 1.0})))
        events = await until(host, Drawn, Failed, Refused, count=3)

    assert {event.id: event.stage for event in events if isinstance(event, Refused)} == {
        "hidden": "image",
        "unread": "input",
    }
    assert [event.id for event in events if isinstance(event, Drawn)] == ["shown"]
    assert {event.id for event in events if isinstance(event, Started)} == {"hidden", "shown"}


def test_what_would_be_refused_is_not_previewed(engine: Flux2Engine) -> None:
    engine.admit(job(id="hidden", screen=Screen(image={"sexual": 0.0})))
    engine.admit(job(id="shown", screen=Screen(image={"sexual": 1.0})))
    engine.step()

    hidden, shown = (engine.sketch(job_id) for job_id in ("hidden", "shown"))

    assert hidden is not None
    assert shown is not None
    assert hidden() is None
    assert shown() is not None


@pytest.mark.anyio
async def test_an_engine_without_pictures_of_its_own_looks_at_those_it_is_given() -> None:
    asked = job(images=(reference(64, 64),), screen=Screen(input={"sexual": 0.0}, image={"sexual": 0.0}))

    async with start_host(weights="blank:") as host:
        await host.send(asked)
        await host.send(job(id="none", screen=asked.screen))
        events = await until(host, Drawn, Failed, Refused, count=2)

    assert {event.id for event in events if isinstance(event, Refused)} == {asked.id}
    assert {event.id for event in events if isinstance(event, Drawn)} == {"none"}
