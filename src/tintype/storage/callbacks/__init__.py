"""The outbox of callbacks, and the log of their deliveries, as functions of a connection."""

from tintype.storage.callbacks.finding import attempts_of, find, list_callbacks
from tintype.storage.callbacks.ordering import fix, order
from tintype.storage.callbacks.sending import claim, due, hand_back, record, resend
from tintype.storage.callbacks.sweeping import sweep

__all__ = [
    "attempts_of",
    "claim",
    "due",
    "find",
    "fix",
    "hand_back",
    "list_callbacks",
    "order",
    "record",
    "resend",
    "sweep",
]
