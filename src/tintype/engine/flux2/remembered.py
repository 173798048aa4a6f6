"""What was computed before and may be asked for again, within a bound of memory."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar


class _Sized(Protocol):
    @property
    def nbytes(self) -> int: ...


Value = TypeVar("Value", bound=_Sized)


class Remembered(Generic[Value]):
    """Tensors and the like by name; those not asked for the longest are forgotten first. For any thread."""

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self.bytes = 0
        self._values: OrderedDict[str, Value] = OrderedDict()
        self._lock = threading.Lock()

    def names(self) -> list[str]:
        return list(self._values)

    def known(self, name: str) -> Value | None:
        """The value of that name, if it is remembered."""
        with self._lock:
            value = self._values.get(name)
            if value is not None:
                self._values.move_to_end(name)
            return value

    def keep(self, name: str, value: Value) -> None:
        with self._lock:
            if name not in self._values:
                self._values[name] = value
                self.bytes += value.nbytes
            while self.bytes > self.most_bytes:
                _, oldest = self._values.popitem(last=False)
                self.bytes -= oldest.nbytes

    def forget(self) -> None:
        """All of them."""
        with self._lock:
            self._values.clear()
            self.bytes = 0

    def get(self, name: str, compute: Callable[[], Value]) -> Value:
        """The value of that name, computed if it is not known."""
        value = self.known(name)
        if value is None:
            value = compute()
            self.keep(name, value)
        return value
