"""The worker's part in provenance: how much pictures say about themselves, and who signs for it."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import msgspec
import structlog

from tintype.engine.images.signing import Signer, TimestampMissing
from tintype.engine.protocol import Drawn, Metadata

SIGNING = 4
"""Threads that sign, which takes milliseconds, or wait for an authority's timestamps."""

SOON = timedelta(days=30)
"""Before its certificate expires, an operator hears of it at every start."""

log = structlog.get_logger()


class Provenance:
    """What holds for all pictures of a worker. The engine hosts never see the signer."""

    def __init__(self, *, metadata: Metadata = "full", signer: Signer | None = None) -> None:
        self.metadata: Metadata = metadata
        self._signer = signer
        if signer is not None and signer.expires - datetime.now(UTC) < SOON:
            log.warning("certificate_expires", at=signer.expires.isoformat())
        self._threads = ThreadPoolExecutor(SIGNING, thread_name_prefix="signing")

    async def signed(self, drawn: Drawn, *, edited: bool) -> Drawn:
        """The picture, signed if there is a signer; `edited`: other pictures went into it.

        Raises if it cannot be signed.
        """
        if self._signer is None:
            return drawn
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, sign, self._signer, drawn, edited)


def sign(signer: Signer, drawn: Drawn, edited: bool) -> Drawn:
    """The signed picture; a missing timestamp is logged. Blocks. Raises as `Signer.sign`."""
    try:
        image = signer.sign(drawn.image, drawn.content_type, edited=edited)
    except TimestampMissing as missing:
        log.warning("timestamp_missing", problem=str(missing))
        image = missing.image
    return msgspec.structs.replace(drawn, image=image)
