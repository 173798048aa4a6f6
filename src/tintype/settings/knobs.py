"""Every knob of the service: typed, described, frozen."""

from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any

from tintype.settings.checks import check

HERE = Path(__file__).parents[1]
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
        "0 for four fifths of a GPU's memory, or half of the main memory, less where TINTYPE_MEMORY_MB wants "
        "more, and never less than TINTYPE_WEIGHTS takes.",
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
        check(self)


def _in_url(host: str) -> str:
    if host in ("0.0.0.0", "::"):
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host


def knobs() -> tuple[Field[Any], ...]:
    """The fields of Settings, each with `description` and `secret` in its metadata."""
    return fields(Settings)
