"""Sending, as the outbox sees it: what is due is claimed for one attempt, and the attempt is recorded.

A claim is a lease: until it is over nobody else takes the callback, and the number of the attempt stands in
every later write, so that whoever was too slow writes nothing.
"""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import BigInteger, Connection, case, insert, literal, select, text, update

from tintype.domain.callback import Callback, Claimed, Delivery
from tintype.storage.callbacks.finding import COLUMNS, callback_of
from tintype.storage.columns import LARGEST
from tintype.storage.tables import IS_DUE, callback_attempts, callbacks

INTERRUPTED = "The server stopped before there was an answer."


def due(
    connection: Connection,
    *,
    now: int,
    limit: int,
    but_hosts: Collection[str] = (),
    but_projects: Collection[int] = (),
) -> list[Callback]:
    """What may be claimed, longest due first; nothing of some hosts and projects.

    `now` is in microseconds since the epoch.
    """
    wanted = select(*COLUMNS).where(*_claimable(now)).order_by(callbacks.c.due_time, callbacks.c.id)
    if but_hosts:
        wanted = wanted.where(callbacks.c.host.not_in(sorted(but_hosts)))
    if but_projects:
        wanted = wanted.where(callbacks.c.project_id.not_in(sorted(but_projects)))
    return [callback_of(row) for row in connection.execute(wanted.limit(min(limit, LARGEST)))]


def claim(connection: Connection, ids: Sequence[int], *, now: int, until: int) -> list[Claimed]:
    """Those of the callbacks that nobody has claimed meanwhile, each for one attempt, which begins now.

    The claim is over at `until`; then somebody else may make another attempt. Both moments are in
    microseconds since the epoch.
    """
    statement = (
        update(callbacks)
        .where(callbacks.c.id.in_(list(ids)), *_claimable(now))
        .values(
            attempts=callbacks.c.attempts + 1,
            tries=callbacks.c.tries + 1,
            begin_time=case((callbacks.c.tries == 0, literal(now, BigInteger)), else_=callbacks.c.begin_time),
            lease_time=until,
        )
        .returning(callbacks)
    )
    rows = connection.execute(statement).all()
    claimed = [Claimed(callback=callback_of(row), body=row.body) for row in rows]
    started = [
        {
            "callback_id": one.callback.id,
            "number": one.callback.attempts,
            "start_time": now,
            "end_time": 0,
            "answer": "",
            "error": "",
        }
        for one in claimed
    ]
    if started:
        connection.execute(insert(callback_attempts), started)
    return claimed


def record(
    connection: Connection,
    callback: Callback,
    *,
    status: int | None,
    answer: str,
    error: str,
    delivered: bool,
    again: int | None,
    now: int,
) -> bool:
    """What became of the attempt: delivered; or due again at `again`; or, without that, dropped.

    Moments are in microseconds since the epoch. False if the attempt was no longer ours to record: somebody
    has made another since.
    """
    _note(connection, callback, status=status, answer=answer, error=error, now=now)
    if delivered or again is None:
        ended = Delivery.DELIVERED if delivered else Delivery.DROPPED
        values: dict[str, Any] = {"state": ended.value, "end_time": now, "lease_time": 0}
    else:
        asked_anew = (callbacks.c.tries == 0, callbacks.c.due_time)  # by `resend`, while it was under way
        values = {"due_time": case(asked_anew, else_=literal(again, BigInteger)), "lease_time": 0}
    return _write(connection, callback, values)


def hand_back(connection: Connection, callback: Callback, *, now: int) -> bool:
    """The attempt was interrupted, is not counted as a try, and may be made anew at once.

    False if the claim was no longer ours. `now` is in microseconds since the epoch.
    """
    counted = case((callbacks.c.tries > 0, callbacks.c.tries - 1), else_=0)
    if not _write(connection, callback, {"tries": counted, "due_time": now, "lease_time": 0}):
        return False
    _note(connection, callback, status=None, answer="", error=INTERRUPTED, now=now)
    return True


def resend(connection: Connection, callback_id: int, *, now: int) -> bool:
    """It is due now and tried anew for the whole schedule, whatever became of it; the body stays the same.

    False if its task has not ended. `now` is in microseconds since the epoch.
    """
    fixed = callbacks.c.state != Delivery.WAITING.value
    statement = update(callbacks).where(callbacks.c.id == callback_id, fixed)
    values = {"state": Delivery.DUE.value, "tries": 0, "due_time": now, "end_time": 0}
    return connection.execute(statement.values(values)).rowcount == 1


def _claimable(now: int) -> tuple[Any, ...]:
    return (text(IS_DUE), callbacks.c.due_time <= now, callbacks.c.lease_time <= now)


def _write(connection: Connection, callback: Callback, values: dict[str, Any]) -> bool:
    ours = (
        callbacks.c.id == callback.id,
        callbacks.c.attempts == callback.attempts,
        callbacks.c.lease_time > 0,
    )
    return connection.execute(update(callbacks).where(*ours).values(values)).rowcount == 1


def _note(
    connection: Connection, callback: Callback, *, status: int | None, answer: str, error: str, now: int
) -> None:
    """The end of the attempt in the log, also if its claim was over: it was made all the same."""
    mine = (callback_attempts.c.callback_id == callback.id, callback_attempts.c.number == callback.attempts)
    values = {"status": status, "answer": answer, "error": error, "end_time": now}
    connection.execute(update(callback_attempts).where(*mine).values(values))
