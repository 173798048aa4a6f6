"""The model page that ships with Tintype, as every test of the domain sees it."""

from pathlib import Path

import pytest

import tintype
from tintype.domain.catalogue import Catalogue, Model, load_catalogue

MODELS = Path(tintype.__file__).parent / "models"


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    return load_catalogue(MODELS)


@pytest.fixture(scope="session")
def model(catalogue: Catalogue) -> Model:
    return catalogue["black-forest-labs/flux-2-flex-t2i"]
