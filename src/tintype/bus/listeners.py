"""Who listens to which subject, within this process."""

from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from tintype.bus.mailbox import Mailbox

log = structlog.get_logger()


class Listeners:
    """The mailboxes of every subject that is listened to."""

    def __init__(self) -> None:
        self._mailboxes: dict[str, set[Mailbox]] = {}

    def __contains__(self, subject: str) -> bool:
        return subject in self._mailboxes

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._mailboxes))

    def tell(self, subject: str, payload: bytes) -> None:
        """Puts the payload into every mailbox of the subject."""
        for mailbox in self._mailboxes.get(subject, ()):
            mailbox.put(payload)

    @contextmanager
    def mailbox(self, subject: str) -> Iterator[Mailbox]:
        """A mailbox that hears the subject while the context lasts."""
        mailbox = Mailbox()
        self._mailboxes.setdefault(subject, set()).add(mailbox)
        try:
            yield mailbox
        finally:
            self._mailboxes[subject].discard(mailbox)
            if not self._mailboxes[subject]:
                del self._mailboxes[subject]
            mailbox.close()
            if mailbox.lost:
                log.warning("bus_listener_fell_behind", subject=subject, lost=mailbox.lost)
