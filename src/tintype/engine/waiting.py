"""Jobs whose model is not there yet, in the order in which they came."""

from dataclasses import dataclass

from tintype.domain.source import Source
from tintype.engine.protocol import Job


@dataclass(frozen=True, slots=True)
class _Waiter:
    job: Job
    since: float


class Waiting:
    """Moments are seconds on a monotonic clock."""

    def __init__(self) -> None:
        self._waiters: dict[str, _Waiter] = {}

    def __len__(self) -> int:
        return len(self._waiters)

    def add(self, job: Job, *, now: float) -> None:
        self._waiters.setdefault(job.id, _Waiter(job, now))

    def drop(self, job_id: str) -> bool:
        return self._waiters.pop(job_id, None) is not None

    def first_of_each(self) -> dict[Source, float]:
        """The sources that are waited for, and since when; who waits the longest comes first."""
        firsts: dict[Source, float] = {}
        for waiter in self._waiters.values():
            firsts.setdefault(waiter.job.source, waiter.since)
        return firsts

    def release(self, source: Source) -> list[Job]:
        """The jobs of that source, which wait no longer."""
        jobs = [waiter.job for waiter in self._waiters.values() if waiter.job.source == source]
        for job in jobs:
            del self._waiters[job.id]
        return jobs
