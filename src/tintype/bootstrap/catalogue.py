"""What is on offer, and what draws it."""

from collections.abc import Callable

import structlog

from tintype.domain.catalogue import Catalogue, Model, load_catalogue
from tintype.domain.errors import BadCheckpoint
from tintype.domain.fixed import OPEN, Fixed
from tintype.domain.placement import Dtype, Offload, Quantisation
from tintype.domain.source import Source
from tintype.engine.flux2.manifest import fixed_inputs
from tintype.settings import Settings

log = structlog.get_logger()


def served_catalogue(settings: Settings) -> Catalogue:
    """The models on offer, with the inputs fixed that what draws them leaves no choice in.

    Raises BadCatalogue, BadCheckpoint for the weights of the settings. Pages whose own weights cannot be read
    stay as they are: their tasks fail with the reason.
    """
    catalogue = load_catalogue(settings.catalogue)
    usual = fixed_inputs(settings.weights)

    def fixed_of(model: Model) -> Fixed:
        weights = catalogue.source_of(model.slug).weights
        try:
            return fixed_inputs(weights) if weights else usual
        except BadCheckpoint as problem:
            log.warning("weights_unreadable", model=model.slug, problem=str(problem))
            return OPEN

    return catalogue.fitted(fixed_of)


def sources_of(settings: Settings, catalogue: Catalogue) -> Callable[[str], Source]:
    """What draws a model, by its slug. Raises UnknownModel."""

    usual = Source(
        weights=settings.weights,
        dtype=Dtype(settings.dtype),
        offload=Offload(settings.offload),
        quantisation=Quantisation(settings.quantisation),
    )
    return lambda slug: catalogue.source_of(slug).apart_from(usual)
