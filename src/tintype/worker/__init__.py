"""Claim, draw, record."""
