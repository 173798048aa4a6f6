"""The use cases, on their store and bus."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tintype.bootstrap.books import open_books
from tintype.bootstrap.catalogue import served_catalogue
from tintype.bus.opening import open_bus
from tintype.domain.quota import MIB, Quota
from tintype.service import Service
from tintype.settings import Settings
from tintype.storage.objects import open_objects


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
