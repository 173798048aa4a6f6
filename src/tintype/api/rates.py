"""How often a project may Run and upload: refusals with HTTP 429, and the fields that tell how it stands.

The fields are those of draft-ietf-httpapi-ratelimit-headers-11: `RateLimit` and `RateLimit-Policy`.
"""

import time
from collections.abc import Mapping
from functools import wraps

from starlette.requests import Request
from starlette.responses import Response

from tintype.api.answers import Handler
from tintype.domain.errors import TooManyRequests
from tintype.domain.money import MICROSECONDS
from tintype.domain.project import Project
from tintype.domain.rate import Limited, Rate, Standing, read_rate
from tintype.service import Service

MOST_REMEMBERED = 1024


class RateLimits:
    """Asks the store for a permit per request of a limited project; a refusal is remembered here, so that
    whoever storms on costs the store nothing."""

    def __init__(self, service: Service, *, rates: Mapping[Limited, Rate | None]) -> None:
        self._service = service
        self._rates = rates
        self._refused: dict[tuple[int, Limited, Rate], float] = {}

    async def spend(self, request: Request, project: Project, limited: Limited) -> None:
        """To be called when it is known who asks, and before the body is read. Raises TooManyRequests."""
        rate = self._rate_of(project, limited)
        if rate is None:
            return
        standing = self._still_refused(project, limited, rate)
        if standing is None:
            standing = await self._service.take_permit(project, limited, rate)
        request.state.rate = limited, standing
        if not standing.allowed:
            self._remember(project, limited, standing)
            raise TooManyRequests(retry_after=standing.seconds)

    def _rate_of(self, project: Project, limited: Limited) -> Rate | None:
        own = project.rate_run if limited is Limited.RUN else project.rate_upload
        return self._rates.get(limited) if own is None else read_rate(own)

    def _still_refused(self, project: Project, limited: Limited, rate: Rate) -> Standing | None:
        until = self._refused.get((project.id, limited, rate))
        wait = 0.0 if until is None else until - time.monotonic()
        if wait <= 0:
            return None
        return Standing(rate=rate, allowed=False, remaining=0, wait=round(wait * MICROSECONDS) or 1)

    def _remember(self, project: Project, limited: Limited, standing: Standing) -> None:
        if len(self._refused) >= MOST_REMEMBERED:
            self._refused.clear()
        self._refused[project.id, limited, standing.rate] = time.monotonic() + standing.wait / MICROSECONDS


def telling_rates(handler: Handler) -> Handler:
    """The handler, with the fields that tell how the project stands, on whatever it answers."""

    @wraps(handler)
    async def telling(request: Request) -> Response:
        response = await handler(request)
        limited, standing = getattr(request.state, "rate", (None, None))
        if limited is not None and standing is not None:
            response.headers.update(fields(limited, standing))
        return response

    return telling


def fields(limited: Limited, standing: Standing) -> dict[str, str]:
    """The two fields. A bucket that fills in so many seconds is a quota of its burst in that time."""
    rate = standing.rate
    window = max(-(-rate.capacity // MICROSECONDS), 1)
    return {
        "ratelimit": f'"{limited.value}";r={standing.remaining};t={standing.seconds}',
        "ratelimit-policy": f'"{limited.value}";q={rate.burst};w={window}',
    }
