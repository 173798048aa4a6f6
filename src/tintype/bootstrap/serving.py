"""API and worker in one process, from their start to their end."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import uvicorn

from tintype.api.app import MIB, create_app
from tintype.api.following import Following
from tintype.bootstrap.catalogue import sources_of
from tintype.bootstrap.engines import engine_starter, memory_limits
from tintype.bootstrap.http_server import OPTIONS, HttpServer, listening
from tintype.bootstrap.policies import moderating_of, provenance_of
from tintype.bootstrap.use_cases import open_service
from tintype.bootstrap.welcome import Welcome, first_project
from tintype.callbacks import Courier, Schedule
from tintype.domain.addresses import read_networks
from tintype.domain.rate import Limited, read_rate
from tintype.logs import set_up_logs
from tintype.outbound import open_outbound
from tintype.service import Service
from tintype.settings import Settings
from tintype.worker.alongside import alongside
from tintype.worker.engine_host import EngineHost
from tintype.worker.preparing import Preparing
from tintype.worker.worker import Worker


async def serve(settings: Settings, *, welcome: Callable[[Welcome], None]) -> None:
    """API and worker in this process, until a signal has been heeded.

    The first SIGINT or SIGTERM lets running tasks finish, the second hands them back. `welcome` is called
    once the server listens. Raises BadSetting, BadCatalogue, BadTerms, BadCheckpoint.
    """
    set_up_logs(form=settings.log_format, level=settings.log_level)
    moderating = moderating_of(settings)
    provenance = provenance_of(settings)
    with listening(settings) as listener:
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
            server = HttpServer(uvicorn.Config(app, **OPTIONS))
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
