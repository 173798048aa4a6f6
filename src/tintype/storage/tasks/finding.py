"""Looking tasks up: one by name, a page of a project's, and counts."""

from sqlalchemy import BigInteger, ColumnElement, Connection, bindparam, func, literal, or_, select, text

from tintype.domain.catalogue import clean_slug
from tintype.domain.errors import UnknownTask
from tintype.domain.lifecycle import Status
from tintype.domain.task import Task, TaskName
from tintype.storage.columns import LARGEST, storable
from tintype.storage.tables import IS_QUEUED, IS_UNFINISHED, tasks
from tintype.storage.tasks.rows import find_by_name, read_token, with_outputs

_SIZE = sum(
    (func.length(tasks.c[name], type_=BigInteger) for name in ("parameters", "inputs", "callback_url")),
    start=literal(0, BigInteger),
)
"""Bytes of what callers sent, which may be much: the rest of a task is small."""
_BY_TOKEN = select(tasks).where(tasks.c.token == bindparam("token"))


def find(connection: Connection, project_id: int, name: TaskName) -> Task:
    """The project's task of that name. Raises UnknownTask, also for another project's."""
    return with_outputs(connection, [find_by_name(connection, project_id, name)])[0]


def find_by_token(connection: Connection, token: str) -> Task:
    """The task of a token, whose ever it is: the token is the authority. Raises UnknownTask."""
    row = connection.execute(_BY_TOKEN, {"token": read_token(token)}).one_or_none()
    if row is None:
        raise UnknownTask
    return with_outputs(connection, [row])[0]


def list_tasks(
    connection: Connection,
    project_id: int,
    *,
    start: int,
    limit: int,
    ascending: bool,
    model_part: str,
    largest: int = LARGEST,
) -> tuple[int, list[Task]]:
    """How many of the project's tasks match, and `limit` of them from the `start`-th on, in order of id.

    `model_part` is a part of the model's slug in any case; `""` matches all. There are fewer tasks, but one
    at least, where the parameters, inputs and callback URLs of all would be more than `largest` bytes as
    they are stored.
    """
    matching = [tasks.c.project_id == project_id]
    if model_part:
        part = storable(clean_slug(model_part)).lower()
        matching.append(func.lower(tasks.c.model).contains(part, autoescape=True))
    total = connection.execute(select(func.count()).select_from(tasks).where(*matching)).scalar_one()
    page = (
        select(tasks.c.id, _SIZE.label("size"))
        .where(*matching)
        .order_by(_in_order(tasks.c.id, ascending))
        .offset(max(0, min(start, LARGEST)))
        .limit(max(0, min(limit, LARGEST)))
        .subquery()
    )
    up_to = func.sum(page.c.size).over(order_by=_in_order(page.c.id, ascending))
    sized = select(page.c.id, page.c.size, up_to.label("up_to")).subquery()
    fitting = (
        select(tasks)
        .join(sized, sized.c.id == tasks.c.id)
        .where(or_(sized.c.up_to <= largest, sized.c.up_to == sized.c.size))
        .order_by(_in_order(tasks.c.id, ascending))
    )
    return total, with_outputs(connection, connection.execute(fitting))


def _in_order(column: ColumnElement[int], ascending: bool) -> ColumnElement[int]:
    return column.asc() if ascending else column.desc()


def count_unfinished(connection: Connection, project_id: int | None = None) -> int:
    """How many tasks have not ended, of one project or of all."""
    count = select(func.count()).select_from(tasks).where(text(IS_UNFINISHED))
    if project_id is not None:
        count = count.where(tasks.c.project_id == project_id)
    return connection.execute(count).scalar_one()


def queue_depth(connection: Connection) -> int:
    """How many tasks wait for a worker."""
    return connection.execute(select(func.count()).select_from(tasks).where(text(IS_QUEUED))).scalar_one()


def unfinished_by_status(connection: Connection) -> dict[Status, int]:
    """How many tasks stand in each status that is not terminal; statuses without any are left out."""
    count = select(tasks.c.status, func.count()).where(text(IS_UNFINISHED)).group_by(tasks.c.status)
    return {Status(status): number for status, number in connection.execute(count)}
