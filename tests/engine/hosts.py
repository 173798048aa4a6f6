"""Engine hosts as the tests hear them."""

from tintype.engine.process import HostProcess
from tintype.engine.protocol import Event


async def until(host: HostProcess, *ends: type[Event], count: int = 1) -> list[Event]:
    """What the host says, up to the last of so many events of those kinds."""
    events: list[Event] = []
    async for event in host.events():
        events.append(event)
        count -= isinstance(event, ends)
        if not count:
            break
    return events
