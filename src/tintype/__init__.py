"""Tintype: a self-hosted image-generation service around FLUX.2."""

__version__ = "0.1.0"
