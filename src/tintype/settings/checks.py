"""What settings must be, each by itself and together."""

from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tintype.domain.addresses import read_networks
from tintype.domain.errors import BadAcceleration, BadModeration, BadSetting
from tintype.domain.placement import Dtype, Offload, Quantisation
from tintype.domain.rate import read_rate
from tintype.domain.web_address import is_web_address
from tintype.engine.acceleration import read_acceleration
from tintype.moderation.policy import read_policy
from tintype.settings.names import PREFIX

if TYPE_CHECKING:
    from tintype.settings.knobs import Settings


def check(settings: "Settings") -> None:
    """Raises BadSetting with the name and what would be right."""

    def demand(name: str, *, holds: bool, problem: str) -> None:
        if not holds:
            raise BadSetting(name=PREFIX + name.upper(), problem=problem)

    demand("port", holds=1 <= settings.port <= 65535, problem="must be between 1 and 65535")
    parts = urlsplit(settings.public_url)
    demand(
        "public_url",
        holds=parts.scheme in ("http", "https") and bool(parts.netloc),
        problem=f"must be an absolute http(s) URL, not {settings.public_url!r}",
    )
    demand(
        "bootstrap_secret",
        holds=bool(settings.bootstrap_key) == bool(settings.bootstrap_secret),
        problem=f"{PREFIX}BOOTSTRAP_KEY and {PREFIX}BOOTSTRAP_SECRET go together; one of them is missing",
    )
    demand("log_format", holds=settings.log_format in ("console", "json"), problem="must be console or json")
    for name, words in (("dtype", Dtype), ("offload", Offload), ("quantisation", Quantisation)):
        right = getattr(settings, name) in list(words)
        demand(name, holds=right, problem=f"must be one of {', '.join(words)}")
    demand("patience", holds=settings.patience > 0, problem="must be positive")
    levels = ("debug", "info", "warning", "error")
    demand("log_level", holds=settings.log_level in levels, problem=f"must be one of {', '.join(levels)}")
    try:
        read_policy(settings.moderation)
    except BadModeration as problem:
        raise BadSetting(name=f"{PREFIX}MODERATION", problem=problem) from problem
    try:
        read_acceleration(settings.acceleration)
    except BadAcceleration as problem:
        raise BadSetting(name=f"{PREFIX}ACCELERATION", problem=problem) from problem
    _check_provenance(settings, demand)
    for name in (
        "threads",
        "places",
        "memory_mb",
        "step_tokens",
        "prompt_cache_mb",
        "recycle_memory_mb",
        "recycle_device_memory_mb",
        "model_memory",
        "model_patience",
        "grace",
        "max_uploads_mb",
        "max_uploads",
        "max_folders",
    ):
        demand(name, holds=getattr(settings, name) >= 0, problem="must not be negative")
    demand("heartbeat", holds=settings.heartbeat > 0, problem="must be positive")
    demand(
        "silence",
        holds=settings.silence >= 2 * settings.heartbeat,
        problem=f"must be at least twice {PREFIX}HEARTBEAT",
    )
    for name, read in (
        ("rate_run", read_rate),
        ("rate_upload", read_rate),
        ("trusted_proxies", read_networks),
    ):
        try:
            read(getattr(settings, name))
        except ValueError as problem:
            demand(name, holds=False, problem=str(problem))
    demand("nonce_window", holds=settings.nonce_window > 0, problem="must be positive")
    demand("sync_wait", holds=settings.sync_wait > 0, problem="must be positive")
    demand("callbacks_timeout", holds=settings.callbacks_timeout > 0, problem="must be positive")
    demand("callbacks_first_retry", holds=settings.callbacks_first_retry > 0, problem="must be positive")
    demand("max_body_mb", holds=settings.max_body_mb >= 1, problem="must be at least 1")
    demand("max_file_mb", holds=settings.max_file_mb >= 1, problem="must be at least 1")


def _check_provenance(settings: "Settings", demand: Callable[..., None]) -> None:
    demand("metadata", holds=settings.metadata in ("full", "minimal"), problem="must be full or minimal")
    demand(
        "c2pa_key",
        holds=bool(settings.c2pa_certificate) == bool(settings.c2pa_key),
        problem=f"{PREFIX}C2PA_CERTIFICATE and {PREFIX}C2PA_KEY go together; one of them is missing",
    )
    authority = settings.c2pa_timestamps
    demand(
        "c2pa_timestamps",
        holds=not authority or bool(settings.c2pa_certificate),
        problem=f"is for signatures; set {PREFIX}C2PA_CERTIFICATE and {PREFIX}C2PA_KEY too",
    )
    demand(
        "c2pa_timestamps",
        holds=not authority or is_web_address(authority),
        problem=f"must be an absolute http(s) URL, not {authority!r}",
    )
