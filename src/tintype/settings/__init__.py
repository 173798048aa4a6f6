"""The settings: read once, frozen, and known to the command line and the composition root alone."""

from tintype.settings.knobs import EMBEDDED_CHECKPOINT, Settings, knobs
from tintype.settings.reading import read_settings

__all__ = ["EMBEDDED_CHECKPOINT", "Settings", "knobs", "read_settings"]
