"""One started server for all tests of the wire."""

from collections.abc import Iterator

import pytest

from api.played import Played
from api.wire import Caller, Wire, start_wire
from tintype.domain.project import Auth


@pytest.fixture(scope="session")
def wire(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wire]:
    with start_wire(tmp_path_factory.mktemp("wire")) as wire:
        yield wire


@pytest.fixture(scope="session")
def keyed(wire: Wire) -> Caller:
    """A project whose key alone is enough."""
    return wire.project(auth=Auth.KEY)


@pytest.fixture(scope="session")
def stranger(wire: Wire) -> Caller:
    """A project of another account."""
    return wire.project(auth=Auth.KEY)


@pytest.fixture
def played(wire: Wire) -> Played:
    """A task whose worker is the test."""
    return Played(wire)
