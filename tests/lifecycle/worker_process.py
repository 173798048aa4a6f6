"""A worker as a process of its own, on a database and a bus between machines.

`python -m lifecycle.worker_process DATABASE_URL BUS_URL FILES LOCKS WEIGHTS HEARTBEAT`
"""

import asyncio
import signal
import sys
from functools import partial
from pathlib import Path

from tintype.bootstrap.policies import moderating_of
from tintype.bus import open_bus
from tintype.engine.process import start_host
from tintype.outbound import open_outbound
from tintype.settings import Settings
from tintype.storage.database import open_database
from tintype.storage.objects import open_objects
from tintype.worker.engine_host import EngineHost
from tintype.worker.preparing import Preparing
from tintype.worker.provenance import Provenance
from tintype.worker.worker import Worker


async def main(database_url: str, bus_url: str, files: str, locks: str, weights: str, heartbeat: str) -> None:
    async with (
        open_database(database_url) as database,
        open_bus(bus_url) as bus,
        open_outbound() as outbound,
    ):
        objects = open_objects(files)
        start = partial(start_host, weights=weights, threads=1, places=2)
        worker = Worker(
            database=database,
            bus=bus,
            objects=objects,
            preparing=Preparing(
                database=database, objects=objects, outbound=outbound, public_url="http://pictures.example"
            ),
            engines=[EngineHost(start=start)],
            moderating=moderating_of(Settings()),
            provenance=Provenance(),
            locks=Path(locks),
            heartbeat=float(heartbeat),
            silence=10 * float(heartbeat),
        )
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, worker.drain)
        await worker.run()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
