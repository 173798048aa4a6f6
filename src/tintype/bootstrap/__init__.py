"""The composition root: settings in, running parts out. Whoever opens something here closes it here."""

from tintype.bootstrap.books import open_books
from tintype.bootstrap.catalogue import sources_of
from tintype.bootstrap.engines import host_starter
from tintype.bootstrap.policies import metadata_of, moderating_of, signer_of
from tintype.bootstrap.serving import serve
from tintype.bootstrap.use_cases import open_service
from tintype.bootstrap.welcome import Welcome, first_project

__all__ = [
    "Welcome",
    "first_project",
    "host_starter",
    "metadata_of",
    "moderating_of",
    "open_books",
    "open_service",
    "serve",
    "signer_of",
    "sources_of",
]
