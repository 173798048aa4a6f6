"""Who really calls, where proxies stand in front: only those that are trusted may speak for others."""

from starlette.types import ASGIApp, Receive, Scope, Send

from tintype.domain.addresses import Network, is_within, read_address

FORWARDED_FOR = b"x-forwarded-for"


class Proxies:
    """Puts the caller's own address into the scope; None if a trusted proxy does not say who calls."""

    def __init__(self, app: ASGIApp, *, trusted: tuple[Network, ...] = ()) -> None:
        self.app = app
        self._trusted = trusted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        client = scope.get("client")
        if self._trusted and client is not None:
            said = [value for name, value in scope.get("headers", ()) if name == FORWARDED_FOR]
            if said:
                caller = self.caller(client[0], b",".join(said).decode("latin-1"))
                scope["client"] = caller and (caller, 0)
        await self.app(scope, receive, send)

    def caller(self, peer: str, forwarded_for: str) -> str | None:
        """The last address that no trusted proxy vouches for as its own, from the connection backwards.

        None where a trusted proxy names something that is no address.
        """
        address = read_address(peer)
        for hop in reversed(forwarded_for.split(",")):
            if address is None or not is_within(address, self._trusted):
                break
            address = read_address(_host(hop.strip()))
        return None if address is None else str(address)


def _host(hop: str) -> str:
    """The address of `192.0.2.1`, `192.0.2.1:5678`, `2001:db8::1` or `[2001:db8::1]:5678`."""
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    return hop.partition(":")[0] if hop.count(":") == 1 else hop
