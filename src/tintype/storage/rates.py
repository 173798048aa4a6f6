"""The buckets of limited projects: one row each, which every process of the service draws from."""

from sqlalchemy import BigInteger, Connection, Text, bindparam, select, text

from tintype.domain.rate import Limited, Rate, Standing, standing
from tintype.storage.tables import rate_buckets

# A generic cell rate: what is stored is the moment at which the bucket will be full again. A bucket of
# another rate than the one at hand counts as full. No row comes back if there is no permit left.
_TAKE = text(
    """
    INSERT INTO rate_buckets (project_id, limited, rate, full_time)
    VALUES (:project_id, :limited, :rate, :now + :interval)
    ON CONFLICT (project_id, limited) DO UPDATE
        SET rate = excluded.rate,
            full_time = :interval + CASE
                WHEN rate_buckets.rate = excluded.rate AND rate_buckets.full_time > :now
                THEN rate_buckets.full_time ELSE :now END
        WHERE rate_buckets.rate <> excluded.rate OR rate_buckets.full_time <= :latest
    RETURNING full_time
    """
).bindparams(
    bindparam("project_id", type_=BigInteger),
    bindparam("limited", type_=Text),
    bindparam("rate", type_=Text),
    bindparam("now", type_=BigInteger),
    bindparam("interval", type_=BigInteger),
    bindparam("latest", type_=BigInteger),
)


def take(connection: Connection, project_id: int, limited: Limited, rate: Rate, *, now: int) -> Standing:
    """Takes one permit out of the project's bucket, if there is one. `now` is in microseconds."""
    values = {
        "project_id": project_id,
        "limited": limited.value,
        "rate": str(rate),
        "now": now,
        "interval": rate.interval,
        "latest": now + rate.capacity - rate.interval,
    }
    full = connection.execute(_TAKE, values).scalar_one_or_none()
    if full is not None:
        return standing(rate, full=full, now=now, allowed=True)
    bucket = (rate_buckets.c.project_id == project_id) & (rate_buckets.c.limited == limited.value)
    full = connection.execute(select(rate_buckets.c.full_time).where(bucket)).scalar_one()
    return standing(rate, full=full, now=now, allowed=False)
