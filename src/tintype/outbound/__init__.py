"""Requests to servers that callers name: guarded, bounded, and without surprises.

Knows HTTP and addresses; nothing of tasks, files or callbacks.
"""

from tintype.outbound.client import Answered, Fetched, Outbound, open_outbound

__all__ = ["Answered", "Fetched", "Outbound", "open_outbound"]
