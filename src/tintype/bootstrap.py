"""The composition root: settings in, running parts out. Whoever opens something here closes it here."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import structlog
import uvicorn
from msgspec.structs import replace

from tintype.api import connection, keepalive
from tintype.api.app import MIB, create_app
from tintype.api.following import Following
from tintype.bus.opening import open_bus
from tintype.callbacks import Courier, Schedule
from tintype.domain.addresses import read_networks
from tintype.domain.catalogue import Catalogue, Model, load_catalogue
from tintype.domain.errors import BadCheckpoint, BadSetting
from tintype.domain.fixed import OPEN, Fixed
from tintype.domain.project import Auth, Project
from tintype.domain.quota import Quota
from tintype.domain.rate import Limited, read_rate
from tintype.domain.source import Source
from tintype.engine.flux2.manifest import fixed_inputs
from tintype.engine.images.signing import Signer, open_signer
from tintype.engine.limits import Limits
from tintype.engine.process import HostProcess, start_host
from tintype.engine.protocol import Metadata
from tintype.logs import relay, set_up_logs
from tintype.moderation.levels import load_levels
from tintype.moderation.policy import read_policy
from tintype.moderation.prompts import PromptGate
from tintype.moderation.terms import load_terms
from tintype.outbound import open_outbound
from tintype.service import Service, now
from tintype.settings import Settings
from tintype.storage import accounts, projects
from tintype.storage.database import Database, open_database
from tintype.storage.objects import open_objects
from tintype.storage.vault import Vault, open_vault
from tintype.worker import EngineHost, Worker
from tintype.worker.alongside import alongside
from tintype.worker.moderating import Moderating
from tintype.worker.preparing import Preparing
from tintype.worker.provenance import Provenance
from tintype.worker.recycling import MemoryLimits

log = structlog.get_logger()

ACCOUNT = "default"
FIRST_PROJECT = "first"
BOOTSTRAP_PROJECT = "bootstrap"


@asynccontextmanager
async def open_books(settings: Settings) -> AsyncIterator[tuple[Database, Vault]]:
    """The database and the vault that opens its secrets. Raises BadSetting."""
    _make_folder(settings)
    vault = open_vault(settings.data / "vault.key", key=settings.vault_key)
    async with open_database(settings.database_url) as database:
        await database.read(lambda connection: projects.check_vault(connection, vault))
        yield database, vault


@asynccontextmanager
async def open_service(settings: Settings) -> AsyncIterator[Service]:
    """The use cases on their store and bus. Raises BadSetting, BadCatalogue, BadCheckpoint."""
    catalogue = served_catalogue(settings)
    objects = open_objects(
        settings.files_url,
        endpoint=settings.s3_endpoint,
        region=settings.s3_region,
        access_key=settings.s3_access_key_id,
        secret_key=settings.s3_secret_access_key,
    )
    async with open_books(settings) as (database, vault), open_bus(settings.bus_url) as bus:
        yield Service(
            database=database,
            bus=bus,
            objects=objects,
            vault=vault,
            catalogue=catalogue,
            public_url=settings.public_url,
            wallet=settings.wallet,
            quota=Quota(
                upload_bytes=settings.max_uploads_mb * MIB,
                uploads=settings.max_uploads,
                folders=settings.max_folders,
            ),
        )


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


@dataclass(frozen=True, kw_only=True)
class Welcome:
    """What a server says when it listens."""

    url: str
    project: Project
    secret: str | None
    """The project's secret, at the first start only."""


async def first_project(service: Service, settings: Settings) -> Welcome:
    """Makes the project of the settings, or any at all, if it is missing."""
    key, secret = settings.bootstrap_key, settings.bootstrap_secret
    name = BOOTSTRAP_PROJECT if key else FIRST_PROJECT

    def make(connection: Any) -> tuple[Project, str | None]:
        known = projects.by_key(connection, service.vault, key, now=now()) if key else None
        if known is not None and (secret not in known[1] or known[0].auth is not Auth.SIGNATURE):
            raise BadSetting(
                name="TINTYPE_BOOTSTRAP_SECRET",
                problem="a project has TINTYPE_BOOTSTRAP_KEY already, with another secret or proof",
            )
        if known is not None:
            return known[0], None
        existing = projects.all_projects(connection)
        if existing and not key:
            return existing[0], None
        account = accounts.ensure_account(connection, name=ACCOUNT, now=now())
        return projects.create_project(
            connection,
            service.vault,
            account=account,
            name=_free_name(name, {project.name for project in existing}),
            auth=Auth.SIGNATURE,
            now=now(),
            key=key or None,
            secret=secret or None,
        )

    project, shown = await service.database.write(make)
    return Welcome(url=settings.public_url, project=project, secret=None if key else shown)


def _free_name(wanted: str, taken: set[str]) -> str:
    number = 2
    name = wanted
    while name in taken:
        name, number = f"{wanted}-{number}", number + 1
    return name


def sources_of(settings: Settings, catalogue: Catalogue) -> Callable[[str], Source]:
    """What draws a model, by its slug. Raises UnknownModel."""

    def source_of(slug: str) -> Source:
        source = catalogue.source_of(slug)
        return replace(source, weights="") if source.weights == settings.weights else source

    return source_of


def engine_starter(
    settings: Settings, catalogue: Catalogue
) -> Callable[[], AbstractAsyncContextManager[HostProcess]]:
    """How an engine host of these settings is started, to draw the models of the catalogue."""
    weights = {catalogue.source_of(model.slug).weights for model in catalogue.models} - {""}
    return partial(
        host_starter(settings),
        model_memory=settings.model_memory,
        model_patience=settings.model_patience,
        hub=not all(Path(each).is_dir() for each in weights),
        on_log=relay,
    )


def host_starter(settings: Settings) -> Callable[..., AbstractAsyncContextManager[HostProcess]]:
    """How an engine host is started that draws with the weights of these settings, as they say."""
    return partial(
        start_host,
        weights=settings.weights,
        device=settings.device,
        dtype=settings.dtype,
        offload=settings.offload,
        quantisation=settings.quantisation,
        threads=settings.threads,
        places=settings.places,
        limits=Limits(
            memory_mb=settings.memory_mb,
            step_tokens=settings.step_tokens,
            prompt_cache_mb=settings.prompt_cache_mb,
        ),
        acceleration=settings.acceleration,
        patience=settings.patience,
    )


def memory_limits(settings: Settings) -> MemoryLimits:
    """From which memory on an engine host is replaced."""
    return MemoryLimits(main=settings.recycle_memory_mb * MIB, device=settings.recycle_device_memory_mb * MIB)


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


async def serve(settings: Settings, *, welcome: Callable[[Welcome], None]) -> None:
    """API and worker in this process, until a signal has been heeded.

    The first SIGINT or SIGTERM lets running tasks finish, the second hands them back. `welcome` is called
    once the server listens. Raises BadSetting, BadCatalogue, BadTerms, BadCheckpoint.
    """
    set_up_logs(form=settings.log_format, level=settings.log_level)
    moderating = moderating_of(settings)
    provenance = provenance_of(settings)
    with _listening(settings) as listener:
        async with (
            open_service(settings) as service,
            open_outbound(allow_private=settings.fetch_allow_private) as outbound,
        ):
            first = await first_project(service, settings)
            worker = Worker(
                engines=[
                    EngineHost(
                        start=engine_starter(settings, service.catalogue), limits=memory_limits(settings)
                    )
                ],
                moderating=moderating,
                provenance=provenance,
                preparing=Preparing(
                    database=service.database,
                    objects=service.objects,
                    outbound=outbound,
                    public_url=settings.public_url,
                ),
                database=service.database,
                bus=service.bus,
                objects=service.objects,
                locks=settings.data / "workers",
                source_of=sources_of(settings, service.catalogue),
                grace=settings.grace,
                heartbeat=settings.heartbeat,
                silence=settings.silence,
            )
            following = Following(service)
            app = create_app(
                service,
                following=following,
                ready=lambda: worker.is_ready,
                largest_body=settings.max_body_mb * MIB,
                largest_file=settings.max_file_mb * MIB,
                spool=settings.data,
                rates={
                    Limited.RUN: read_rate(settings.rate_run),
                    Limited.UPLOAD: read_rate(settings.rate_upload),
                },
                nonce_window=settings.nonce_window,
                trusted_proxies=read_networks(settings.trusted_proxies),
                longest_wait=settings.sync_wait,
            )
            server = _Server(uvicorn.Config(app, **_UVICORN))
            welcome(first)  # the socket listens already: whoever calls now is answered in a moment
            async with (
                open_courier(service, settings) as courier,
                following.running(),
                _heeding_signals(worker.drain),
                alongside(server.serve([listener]), courier.run()),
            ):
                await worker.run()
                following.stopping.set()
                await server.stop()


@asynccontextmanager
async def open_courier(service: Service, settings: Settings) -> AsyncIterator[Courier]:
    """Who sends the callbacks of the service's tasks, once it runs."""
    async with open_outbound(allow_private=settings.callbacks_allow_private) as outbound:
        yield Courier(
            database=service.database,
            bus=service.bus,
            vault=service.vault,
            outbound=outbound,
            schedule=Schedule(first_retry=settings.callbacks_first_retry),
            timeout=settings.callbacks_timeout,
        )


_UVICORN: dict[str, Any] = {
    "access_log": False,
    "log_config": None,
    "lifespan": "off",
    "server_header": False,
    "date_header": True,
    "timeout_graceful_shutdown": 5,
    "timeout_keep_alive": 75,
    **connection.OPTIONS,
    **keepalive.OPTIONS,
}


class _Server(uvicorn.Server):
    """uvicorn, started and stopped by whoever owns it instead of by signals."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._stopped = asyncio.Event()

    async def stop(self) -> None:
        """Answers what has been asked, then returns."""
        self.should_exit = True
        await self._stopped.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await super().shutdown(sockets)
        self._stopped.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextmanager
def _listening(settings: Settings) -> Iterator[socket.socket]:
    """The listening socket, claimed before anything else is touched."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        listener = socket.create_server((settings.host, settings.port), family=family, backlog=2048)
    except OSError as problem:
        why, *_ = str(problem.strerror).split(" (while ")
        raise BadSetting(
            name="TINTYPE_PORT",
            problem=f"cannot listen on {settings.host}:{settings.port} ({why}); "
            "choose another TINTYPE_PORT or TINTYPE_HOST",
        ) from problem
    with listener:
        # Accepted sockets inherit it; event loops set it only where the protocol number is given.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield listener


@asynccontextmanager
async def _heeding_signals(handler: Callable[[], None]) -> AsyncIterator[None]:
    loop = asyncio.get_running_loop()
    numbers = (signal.SIGINT, signal.SIGTERM)
    for number in numbers:
        loop.add_signal_handler(number, handler)
    try:
        yield
    finally:
        for number in numbers:
            with contextlib.suppress(ValueError):
                loop.remove_signal_handler(number)


def _make_folder(settings: Settings) -> None:
    try:
        settings.data.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise BadSetting(
            name="TINTYPE_DATA", problem=f"cannot make the folder {settings.data} ({problem.strerror})"
        ) from problem
