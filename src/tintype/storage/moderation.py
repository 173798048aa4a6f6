"""What projects say of moderation. One without a row says nothing: the operator's general word counts."""

from collections.abc import Collection

from sqlalchemy import Connection, delete, insert, select

from tintype.moderation.policy import GATES, Policy
from tintype.storage.tables import moderation


def set_policy(connection: Connection, project_id: int, policy: Policy) -> None:
    """The project's word from now on, also for tasks that wait. `Policy()` takes it back."""
    connection.execute(delete(moderation).where(moderation.c.project_id == project_id))
    if policy != Policy():
        words: dict[str, str] = {gate: policy.word(gate) for gate in GATES}
        connection.execute(insert(moderation).values(project_id=project_id, **words))


def policy_of(connection: Connection, project_id: int) -> Policy:
    """The project's own word; `Policy()` if it has none."""
    return policies(connection, [project_id]).get(project_id, Policy())


def policies(connection: Connection, project_ids: Collection[int]) -> dict[int, Policy]:
    """The words of those projects that have one, by their ids."""
    if not project_ids:
        return {}
    rows = connection.execute(select(moderation).where(moderation.c.project_id.in_(project_ids)))
    return {row.project_id: Policy(prompt=row.prompt, input=row.input, image=row.image) for row in rows}
