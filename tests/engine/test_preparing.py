"""Jobs are made ready beside the steps, and leave at any time."""

import queue
import threading

from tintype.engine.blank import BlankEngine
from tintype.engine.engine import BadJob, References
from tintype.engine.preparing import Prepared, Preparing
from tintype.engine.protocol import Job

from .jobs import job
from .references import reference


class SlowReader(BlankEngine):
    """Reads nothing before it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.reading = threading.Event()
        self.go = threading.Event()
        self.read: list[str] = []

    def prepare(self, job: Job) -> References:
        self.reading.set()
        assert self.go.wait(10)
        self.read.append(job.id)
        return super().prepare(job)


def test_a_prepared_job_no_longer_carries_its_pictures() -> None:
    prepared: queue.SimpleQueue[Prepared] = queue.SimpleQueue()
    asked = job(images=(reference(64, 64), reference(64, 64)))

    with Preparing(BlankEngine(), prepared.put) as preparing:
        preparing.take(asked)
        assert not preparing.idle
        done = prepared.get(timeout=10)

    assert (done.job.id, done.job.images) == (asked.id, ())
    assert isinstance(done.references, References)
    assert len(done.references.digests) == 2
    assert preparing.release(asked.id)
    assert preparing.idle


def test_a_picture_that_cannot_be_read_is_the_jobs_answer() -> None:
    prepared: queue.SimpleQueue[Prepared] = queue.SimpleQueue()

    with Preparing(BlankEngine(), prepared.put) as preparing:
        preparing.take(job(images=(b"nothing",)))

    answer = prepared.get(timeout=10).references
    assert isinstance(answer, BadJob)
    assert str(answer).startswith("Reference picture 1 is not a PNG")


def test_a_job_dropped_before_its_pictures_are_read_is_not_read() -> None:
    engine = SlowReader()
    prepared: queue.SimpleQueue[Prepared] = queue.SimpleQueue()
    first, second = job(images=(reference(64, 64),)), job(images=(reference(64, 64),))

    with Preparing(engine, prepared.put) as preparing:
        preparing.take(first)
        preparing.take(second)
        assert engine.reading.wait(10)
        assert preparing.drop(first.id)
        assert preparing.drop(second.id)
        assert not preparing.drop(second.id)
        engine.go.set()

    assert engine.read == [first.id]
    assert not preparing.release(first.id)


def test_a_prompt_does_not_wait_for_pictures_to_be_read() -> None:
    class SlowPictures(SlowReader):
        def prepare(self, job: Job) -> References:
            return super().prepare(job) if job.images else BlankEngine.prepare(self, job)

    engine = SlowPictures()
    prepared: queue.SimpleQueue[Prepared] = queue.SimpleQueue()
    with_pictures, without = job(images=(reference(64, 64),)), job()

    with Preparing(engine, prepared.put) as preparing:
        preparing.take(with_pictures)
        assert engine.reading.wait(10)
        preparing.take(without)
        first = prepared.get(timeout=10)
        engine.go.set()
        second = prepared.get(timeout=10)

    assert [first.job.id, second.job.id] == [without.id, with_pictures.id]
