"""What was computed before and may be asked for again, within a bound of memory."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar


class _Sized(Protocol):
    @property
    def nbytes(self) -> int: ...


Value = TypeVar("Value", bound=_Sized)


class Remembered(Generic[Value]):
    """Tensors and the like by name; those not asked for the longest are forgotten first."""

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self.bytes = 0
        self._values: OrderedDict[str, Value] = OrderedDict()

    def names(self) -> list[str]:
        return list(self._values)

    def get(self, name: str, compute: Callable[[], Value]) -> Value:
        """The value of that name, computed if it is not known."""
        known = self._values.get(name)
        if known is not None:
            self._values.move_to_end(name)
            return known
        value = self._values[name] = compute()
        self.bytes += value.nbytes
        while self.bytes > self.most_bytes:
            _, oldest = self._values.popitem(last=False)
            self.bytes -= oldest.nbytes
        return value
