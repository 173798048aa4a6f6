"""What a run of a model costs where that hangs on its inputs and on what came out, and not on time alone."""

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any

import msgspec

from tintype.domain.money import picodollars
from tintype.domain.parameter import Parameter

TIER = 1024 * 1024
"""Pixels of one tier of `cp-pixel`."""
QUANTITY = "QUANTITY:"
"""Before a number of files, in the place of an input's value."""


class Method(StrEnum):
    """By what a run is charged."""

    RUN = "cpr"
    """A price for the run."""
    SECOND = "cps"
    """A price for each second."""
    OUTPUT = "cpo"
    """A price for each output."""
    PIXEL = "cp-pixel"
    """A price for each begun 1,048,576 pixels of the output."""


OF_OTHER_MODELS = frozenset(
    {
        "cpt",
        "cp-audiosecondslength",
        "cp-promptlength",
        "cp-outputVideoLength",
        "cp-realtimeturn",
        "cp-readoutput",
    }
)
"""Methods of the protocol that make no sense for a model that draws pictures."""


class Tariff(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One entry of a model's `dynamic_price`. Making one raises ValueError if it makes no sense."""

    inputs: dict[str, str] = {}
    """The inputs it is for, parameter id to value, all text; `"QUANTITY:2"` is two files. `{}` fits all."""
    price: str
    """Dollars, decimal, at most 12 decimals."""
    method: str
    """`cpr`, `cps`, `cpo` or `cp-pixel`."""
    extra: str | None = None
    """`cp-pixel`: dollars for each tier after the first; `price` if it is left out."""
    input: str | None = None
    """`cp-pixel`: dollars for each tier and each picture given as an input."""

    def __post_init__(self) -> None:
        if self.method in OF_OTHER_MODELS:
            raise ValueError(f"the price method {self.method} makes no sense for a model that draws pictures")
        if self.method not in list(Method):
            raise ValueError(f"the price method {self.method!r} is none of {', '.join(Method)}")
        if self.method != Method.PIXEL and (self.extra or self.input):
            raise ValueError(f"extra and input are for cp-pixel, not for {self.method}")
        for price in (self.price, self.extra, self.input):
            if price is not None:
                read_price(price)

    def fits(self, inputs: Mapping[str, Any]) -> bool:
        """Whether it is for these inputs: checked, typed and complete with defaults."""
        return all(_is(inputs.get(name), wanted) for name, wanted in self.inputs.items())


class Charge(msgspec.Struct, frozen=True, kw_only=True):
    """By what one accepted run will be charged instead of its seconds."""

    method: Method
    price: int
    """Picodollars, as all amounts."""
    extra: int = 0
    input: int = 0
    pictures: int = 0
    """How many pictures the run was given."""

    def cost(self, *, outputs: int, pixels: int) -> int:
        """What the run costs, in picodollars. `pixels` are those of one output, `outputs` their number."""
        match self.method:
            case Method.OUTPUT:
                return self.price * max(outputs, 1)
            case Method.PIXEL:
                tiers = max(math.ceil(pixels / TIER), 1)
                return self.price + (tiers - 1) * self.extra + tiers * self.pictures * self.input
        return self.price


class Price(msgspec.Struct, frozen=True, kw_only=True):
    """What one run will be charged by."""

    cps: int
    """Picodollars for each second; they count where there is no charge."""
    charge: Charge | None

    def expected_charge(self, pixels: int) -> int | None:
        """What a picture of so many pixels will cost by its charge, in picodollars; None without one."""
        return self.charge.cost(outputs=1, pixels=pixels) if self.charge else None


def price_for(tariffs: Sequence[Tariff], inputs: Mapping[str, Any], *, cps: int, pictures: int) -> Price:
    """The price of a run with these inputs and so many pictures, of a model with a price per second."""
    tariff = tariff_for(tariffs, inputs)
    if tariff is None:
        return Price(cps=cps, charge=None)
    if tariff.method == Method.SECOND:
        return Price(cps=read_price(tariff.price), charge=None)
    return Price(cps=cps, charge=charge_of(tariff, pictures=pictures))


def tariff_for(tariffs: Sequence[Tariff], inputs: Mapping[str, Any]) -> Tariff | None:
    """The first that fits; None if the run is charged by its model's price per second."""
    return next((tariff for tariff in tariffs if tariff.fits(inputs)), None)


def charge_of(tariff: Tariff, *, pictures: int) -> Charge:
    """The tariff in whole picodollars, for a run that was given so many pictures."""
    price = read_price(tariff.price)
    return Charge(
        method=Method(tariff.method),
        price=price,
        extra=price if tariff.extra is None else read_price(tariff.extra),
        input=read_price(tariff.input or "0"),
        pictures=pictures,
    )


def read_price(price: str) -> int:
    """A price on a page, in picodollars. Raises ValueError."""
    try:
        amount = Decimal(price)
    except InvalidOperation:
        raise ValueError(f"{price!r} is no price; write dollars as text, such as '0.03'") from None
    if not amount.is_finite() or not 0 <= amount <= 1_000_000:
        raise ValueError(f"{price} is no price; it must be between 0 and 1000000 dollars")
    return picodollars(amount)


def check_tariffs(tariffs: Sequence[Tariff], parameters: Mapping[str, Parameter]) -> None:
    """Whether every tariff can be reached with inputs that the model has. Raises ValueError."""
    for place, tariff in enumerate(tariffs):
        if any(not earlier.inputs for earlier in tariffs[:place]):
            raise ValueError("a tariff stands after one that fits every run, so it would never count")
        for name, value in tariff.inputs.items():
            if name not in parameters:
                raise ValueError(f"a tariff is for the input {name!r}, which the model does not have")
            _check_value(parameters[name], value)


def _check_value(parameter: Parameter, value: str) -> None:
    allowed = [option.value for option in parameter.options]
    if parameter.is_file:
        fits = value.startswith(QUANTITY) and value.removeprefix(QUANTITY).isdecimal()
    elif parameter.is_number:
        fits = _number(value) is not None
    else:
        fits = not allowed or value in allowed
    if not fits:
        raise ValueError(f"a tariff is for [{parameter.id}] {value!r}, which it can never be")


def _is(value: Any, wanted: str) -> bool:
    if wanted.startswith(QUANTITY):
        return quantity(value) == int(wanted.removeprefix(QUANTITY))
    if isinstance(value, int | float):
        return _number(wanted) == _number(str(value))
    return str(value) == wanted


def quantity(value: Any) -> int:
    """How many files the value of a file parameter holds."""
    return len(value) if isinstance(value, list | tuple) else int(value not in (None, ""))


def _number(text: str) -> Decimal | None:
    try:
        return Decimal(text)
    except InvalidOperation:
        return None
