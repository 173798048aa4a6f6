"""Every knob of the service: typed, described, frozen. The only reader of the environment."""

import difflib
import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any, cast, get_type_hints
from urllib.parse import urlsplit

from tintype.domain.addresses import read_networks
from tintype.domain.errors import BadAcceleration, BadModeration, BadSetting
from tintype.domain.rate import read_rate
from tintype.domain.web_address import is_web_address
from tintype.engine.acceleration import read_acceleration
from tintype.engine.placement import Dtype, Offload, Quantisation
from tintype.moderation.policy import read_policy

PREFIX = "TINTYPE_"
CLIENT_NAMES = frozenset({"URL", "KEY", "SECRET", "SIGN_REQUESTS"})
"""Read by the command line when it talks to a server; not settings of the service."""
YES_OR_NO = {
    "yes": True,
    "true": True,
    "on": True,
    "1": True,
    "no": False,
    "false": False,
    "off": False,
    "0": False,
}

HERE = Path(__file__).parent
EMBEDDED_CHECKPOINT = HERE / "models" / "pictograms"


def _knob(default: Any, description: str, *, secret: bool = False) -> Any:
    return field(default=default, metadata={"description": description, "secret": secret}, repr=not secret)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings of one process. Each is the environment variable `TINTYPE_<NAME>`, or `<name>` in the
    TOML file that `TINTYPE_CONFIG` names; the environment wins."""

    data: Path = _knob(Path("data"), "Folder of everything that must survive: database, pictures, keys.")
    host: str = _knob("127.0.0.1", "Address to listen on.")
    port: int = _knob(8080, "Port to listen on.")
    public_url: str = _knob(
        "", "Base of every URL in answers, as callers reach the service. Default: http://HOST:PORT."
    )
    database_url: str = _knob(
        "",
        "sqlite:///PATH or postgresql://… Default: tintype.db in the data folder.",
        secret=True,
    )
    bus_url: str = _knob("memory:", "memory: within one process, or nats://HOST:PORT between processes.")
    files_url: str = _knob(
        "", "Folder, or s3://BUCKET/PREFIX, of pictures and files. Default: files in the data folder."
    )
    s3_endpoint: str = _knob("", "Endpoint of an S3-compatible store; empty for the provider's own.")
    s3_region: str = _knob("", "Region of the bucket.")
    s3_access_key_id: str = _knob("", "Access key id for the bucket.", secret=True)
    s3_secret_access_key: str = _knob("", "Secret access key for the bucket.", secret=True)
    vault_key: str = _knob(
        "",
        "32 bytes in base64 that seal the projects' secrets. Default: the file vault.key in the data folder.",
        secret=True,
    )
    bootstrap_key: str = _knob(
        "", "API key of a signature project that must exist after the start (CI, containers).", secret=True
    )
    bootstrap_secret: str = _knob("", "The API secret that belongs to BOOTSTRAP_KEY.", secret=True)

    weights: str = _knob(
        str(EMBEDDED_CHECKPOINT),
        "What draws: a folder or hub id in FLUX.2 format. Default: the embedded pictogram checkpoint.",
    )
    device: str = _knob("auto", "Where the engine computes: auto, cpu, cuda, cuda:1, mps.")
    dtype: str = _knob(
        "auto",
        "Number format of the engine: float32, bfloat16, or auto for bfloat16 on GPUs that have it and "
        "float32 elsewhere.",
    )
    offload: str = _knob(
        "none",
        "What waits in main memory and comes to the GPU layer by layer: none, text (the text encoder) or all "
        "(the transformer, too).",
    )
    quantisation: str = _knob(
        "none", "In how many bits the engine keeps weights: none, int8, or nf4 (4 bits, on CUDA)."
    )
    patience: float = _knob(
        1800.0, "Seconds that an engine may take to get ready, with the download of its weights."
    )
    threads: int = _knob(0, "CPU threads of the engine; 0 for one per core.")
    places: int = _knob(0, "How many tasks a worker holds at once; 0 to let the engine say.")
    memory_mb: int = _knob(
        0,
        "Memory of the device that jobs may take beside the weights, in MiB; others wait. 0 for nine tenths "
        "of what is free on a GPU, half of what is available on a CPU.",
    )
    step_tokens: int = _knob(
        0, "Image and text tokens that a step draws at most, all its jobs together; 0 to let the engine say."
    )
    prompt_cache_mb: int = _knob(256, "Memory for the embeddings of prompts drawn before, in MiB.")
    model_memory: float = _knob(
        0.0,
        "GiB of the device that the weights of all models may take; beyond it, models not in use leave. "
        "0 for four fifths of a GPU's memory, or half of the main memory.",
    )
    model_patience: float = _knob(
        20.0,
        "Seconds that a model waits for room beside one in use, before that one draws nothing new until the "
        "other has had its turn.",
    )
    recycle_memory_mb: int = _knob(
        0,
        "MiB of main memory from which on an engine host is replaced once its tasks have ended; 0: none.",
    )
    recycle_device_memory_mb: int = _knob(
        0, "The same for the device's own memory, what is held in reserve included; 0: none."
    )
    acceleration: str = _knob(
        "auto",
        "What makes drawing faster where the device can: auto, off, or such for single parts: "
        "compile=on,graphs=off,fused=on,fp8=on,attention=native (docs/engine.md).",
    )
    catalogue: Path = _knob(HERE / "models", "Folder of the model pages (*.toml).")

    moderation: str = _knob(
        "default",
        "How far safetyTolerance goes: default, off, a greatest tolerance from 0 to 6, or such for single "
        "gates: prompt=off,input=2,image=6. A project's own word counts before it.",
    )
    moderation_terms: str = _knob("", "TOML file of terms that are moderated besides the shipped ones.")
    moderation_levels: str = _knob("", "TOML file of thresholds that replace the shipped ones.")

    metadata: str = _knob(
        "full",
        "What pictures say about themselves: full, with their inputs, or minimal, only that a model drew "
        "them, and which.",
    )
    c2pa_certificate: str = _knob(
        "",
        "PEM file of the certificate that pictures are signed with (C2PA), and of those between it and its "
        "root. Default: pictures are not signed.",
    )
    c2pa_key: str = _knob("", "PEM file of the certificate's private key.")
    c2pa_timestamps: str = _knob(
        "", "URL of an authority (RFC 3161) that confirms when a picture was signed. Default: none."
    )

    callbacks_allow_private: bool = _knob(
        False, "yes to send callbacks to loopback, private and other non-public addresses, too."
    )
    callbacks_timeout: float = _knob(20.0, "Seconds that a receiver has to answer a callback.")
    callbacks_first_retry: float = _knob(
        5.0, "Seconds before a failed callback is sent again; the pauses grow from there."
    )
    fetch_allow_private: bool = _knob(
        False,
        "yes to fetch the callers' input URLs from loopback, private and other non-public addresses, too.",
    )
    wallet: bool = _knob(
        False, "on: runs are paid from the balances of accounts. off: the service is free to its callers."
    )

    grace: float = _knob(30.0, "Seconds that running tasks have to finish after the first stop signal.")
    heartbeat: float = _knob(2.0, "Seconds between a worker's signs of life.")
    silence: float = _knob(15.0, "Seconds without a sign of life after which a worker counts as dead.")
    max_body_mb: int = _knob(16, "Largest request body, in MiB, uploads of files apart.")
    max_file_mb: int = _knob(100, "Largest file that a caller may send, in MiB.")
    max_uploads_mb: int = _knob(
        102400, "MiB of uploads that a project may keep; 0 for no limit. Inputs of Runs do not count."
    )
    max_uploads: int = _knob(100_000, "Files that a project may keep as uploads; 0 for no limit.")
    max_folders: int = _knob(10_000, "Folders for uploads that an account may have; 0 for no limit.")
    rate_run: str = _knob(
        "off", "How often a project may Run: off, or such as 10/s or 100/min burst 20 (per s, min, h or day)."
    )
    rate_upload: str = _knob("off", "How often a project may upload a file, in the same form.")
    nonce_window: float = _knob(
        300.0, "Seconds by which the time in a strict nonce or a request signature may differ from ours."
    )
    trusted_proxies: str = _knob(
        "", "Addresses and networks, with commas, whose X-Forwarded-For names the caller. Default: nobody's."
    )
    sync_wait: float = _knob(300.0, "Seconds that Run/…/sync waits for the end of a task, at most.")
    log_format: str = _knob("console", "console for people, json for machines.")
    log_level: str = _knob("info", "debug, info, warning or error.")

    def __post_init__(self) -> None:
        object.__setattr__(self, "data", self.data.expanduser().absolute())
        for name, default in (
            ("public_url", f"http://{_in_url(self.host)}:{self.port}"),
            ("database_url", f"sqlite:///{self.data / 'tintype.db'}"),
            ("files_url", str(self.data / "files")),
        ):
            if not getattr(self, name):
                object.__setattr__(self, name, default)
        object.__setattr__(self, "public_url", self.public_url.rstrip("/"))
        _check(self)


def _in_url(host: str) -> str:
    if host in ("0.0.0.0", "::"):
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host


def _check(settings: Settings) -> None:
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


def _check_provenance(settings: Settings, demand: Callable[..., None]) -> None:
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


def read_settings(
    environment: Mapping[str, str] | None = None, *, overrides: Mapping[str, Any] | None = None
) -> Settings:
    """Settings from, in rising order: defaults, the TOML file, the environment, `overrides`.

    Raises BadSetting with the name and what would be right.
    """
    environment = os.environ if environment is None else environment
    values = dict(_from_file(environment.get(f"{PREFIX}CONFIG", "")))
    for variable, text in environment.items():
        name = variable.removeprefix(PREFIX)
        if variable.startswith(PREFIX) and name not in CLIENT_NAMES | {"CONFIG"} and text != "":
            values[variable] = text
    parsed = {_known(name).name: _parse(name, value) for name, value in values.items()}
    given = {name: value for name, value in (overrides or {}).items() if value is not None}
    return Settings(**(parsed | given))


def _from_file(path: str) -> Mapping[str, Any]:
    if not path:
        return {}
    try:
        return tomllib.loads(Path(path).expanduser().read_text("utf-8"))
    except (OSError, ValueError) as problem:
        raise BadSetting(name=f"{PREFIX}CONFIG", problem=f"cannot read {path}: {problem}") from problem


def knobs() -> tuple[Field[Any], ...]:
    """The fields of Settings, each with `description` and `secret` in its metadata."""
    return fields(Settings)


def _known(name: str) -> Field[Any]:
    by_name = {knob.name: knob for knob in knobs()}
    wanted = name.removeprefix(PREFIX).lower()
    if wanted in by_name:
        return by_name[wanted]
    close = difflib.get_close_matches(wanted, by_name, n=1)
    hint = f"; did you mean {PREFIX}{close[0].upper()}?" if close else ""
    raise BadSetting(name=name, problem=f"is not a setting{hint}")


def _parse(name: str, value: Any) -> Any:
    knob = _known(name)
    kind = cast(type, get_type_hints(Settings)[knob.name])
    try:
        if kind is bool:
            return value if isinstance(value, bool) else YES_OR_NO[str(value).strip().lower()]
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise ValueError
        return kind(value)
    except (ValueError, KeyError):
        words = {bool: "yes or no", int: "a whole number", float: "a number"}.get(kind, "a text")
        raise BadSetting(name=name, problem=f"must be {words}, not {value!r}") from None
