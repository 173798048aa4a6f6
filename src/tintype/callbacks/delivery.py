"""One attempt: sign, send, and see what comes back."""

from collections.abc import Sequence

import msgspec

from tintype.callbacks.signing import headers
from tintype.domain.callback import Claimed
from tintype.domain.clock import now
from tintype.domain.errors import NoWebAddress, OutboundError
from tintype.domain.money import MICROSECONDS
from tintype.outbound import Outbound

EXCERPT = 1024
"""Bytes of an answer that the log keeps."""
NO_ADDRESS = "the callback's URL is no address that can be called; it is not tried again"
CONTENT_TYPE = "application/json; charset=utf-8"


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of an attempt: an answer, or an error."""

    status: int | None = None
    answer: str = ""
    error: str = ""
    is_final: bool = False
    """Whether another attempt would meet the same."""

    @property
    def delivered(self) -> bool:
        """Whether the receiver has confirmed it: by any 2xx."""
        return self.status is not None and 200 <= self.status < 300


async def deliver(outbound: Outbound, claimed: Claimed, secrets: Sequence[str], *, within: float) -> Outcome:
    """Sends the body, signed with every one of the secrets. `within` is in seconds."""
    callback = claimed.callback
    signature = headers(
        secrets, message_id=callback.message_id, timestamp=now() // MICROSECONDS, body=claimed.body
    )
    try:
        answered = await outbound.post(
            callback.url,
            claimed.body,
            headers={"content-type": CONTENT_TYPE, **signature},
            within=within,
            excerpt=EXCERPT,
        )
    except NoWebAddress:
        return Outcome(error=NO_ADDRESS, is_final=True)
    except OutboundError as problem:
        return Outcome(error=str(problem))
    return Outcome(status=answered.status, answer=answered.beginning.decode("utf-8", "replace"))
