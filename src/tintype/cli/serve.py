"""`tintype serve`: everything on one machine."""


def serve() -> None:
    """Serve."""
