"""What the operator demands of prompts and pictures: moderation, metadata, signatures."""

from pathlib import Path

from tintype.engine.images.signing import Signer, open_signer
from tintype.engine.protocol import Metadata
from tintype.moderation.levels import load_levels
from tintype.moderation.policy import read_policy
from tintype.moderation.prompts import PromptGate
from tintype.moderation.terms import load_terms
from tintype.settings import Settings
from tintype.worker.moderating import Moderating
from tintype.worker.provenance import Provenance


def moderating_of(settings: Settings) -> Moderating:
    """The gates, with the operator's terms, levels and policy. Raises BadTerms."""
    own_terms, own_levels = (
        Path(path).expanduser() if path else None
        for path in (settings.moderation_terms, settings.moderation_levels)
    )
    levels = load_levels(own_levels)
    gate = PromptGate(load_terms(own_terms), levels, origin=own_terms or "terms")
    return Moderating(gate=gate, levels=levels, policy=read_policy(settings.moderation))


def signer_of(settings: Settings) -> Signer | None:
    """Who signs the pictures, with the operator's certificate; None if nobody is to. Raises BadSetting."""
    if not settings.c2pa_certificate:
        return None
    return open_signer(
        certificate=Path(settings.c2pa_certificate),
        key=Path(settings.c2pa_key),
        timestamps=settings.c2pa_timestamps,
    )


def metadata_of(settings: Settings) -> Metadata:
    """How much pictures say about themselves."""
    return "minimal" if settings.metadata == "minimal" else "full"


def provenance_of(settings: Settings) -> Provenance:
    """What pictures say about themselves, and who signs for it. Raises BadSetting."""
    return Provenance(metadata=metadata_of(settings), signer=signer_of(settings))
