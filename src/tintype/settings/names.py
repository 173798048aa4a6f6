"""What the settings are called outside."""

PREFIX = "TINTYPE_"
CLIENT_NAMES = frozenset({"URL", "KEY", "SECRET", "SIGN_REQUESTS"})
"""Read by the command line when it talks to a server; not settings of the service."""
