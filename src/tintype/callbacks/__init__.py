"""Sends callbacks: signs them, tries again, and keeps a log. Knows bodies as bytes, and nothing of tasks."""

from tintype.callbacks.courier import Courier
from tintype.callbacks.schedule import Schedule

__all__ = ["Courier", "Schedule"]
