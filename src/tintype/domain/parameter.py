"""One input of a model, as its page describes it: how it is shown, what it accepts, and whether that fits
together."""

import math
import re

import msgspec

TEXTS = frozenset({"text", "textarea"})
NUMBERS = frozenset({"number", "range", "numeric", "integer", "float"})
SELECT = "select"
ONE_FILE = "fileinput"
FILES = frozenset({ONE_FILE, "multifileinput", "combinefileinput"})
MOST_FILES = 8
TYPES = (
    *("text", "textarea", "number", "range", "numeric", "integer", "float", "select"),
    *("fileinput", "multifileinput", "combinefileinput"),
)
RESERVED = frozenset({"callbackUrl", "projectid"})
"""What a Run takes beside the inputs of its model."""

_ID = re.compile(r"[A-Za-z][A-Za-z0-9_-]*", re.ASCII)
_OF_NUMBERS = ("min", "max", "step", "multiple_of", "integer", "zero_is_unset", "like_picture", "fixed")


class Option(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One choice of a select."""

    value: str
    label: str


class Parameter(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One input of a model. Making one raises ValueError if it contradicts itself."""

    id: str
    """Its name in a Run."""
    type: str
    """One of `TYPES`."""
    label: str
    note: str = ""
    """Help, shown beside it."""
    description: str = ""
    """More of it, shown on request."""
    placeholder: str = ""
    """Shown in an empty field."""
    default: str | int | float | None = None
    """What counts if it is not set."""
    required: bool = False
    """Whether a Run without it is refused."""
    options: tuple[Option, ...] = ()
    """The choices of a select."""
    min: int | float | None = None
    max: int | float | None = None
    step: int | float | None = None
    """How far one press of a button goes; nothing is refused for lying between steps."""
    integer: bool = False
    """Whether fractions are refused; always so for the type `integer`."""
    multiple_of: int | None = None
    zero_is_unset: bool = False
    """Whether 0 counts as not set."""
    fixed: int | float | None = None
    """What counts whatever is sent, since what draws was distilled to it; what is sent is checked still."""
    max_files: int | None = None
    """How many files it takes, if its type takes several; without it 8."""
    like_picture: bool = False
    """Whether the first input picture decides about it where it is not set."""
    advanced: bool = False
    """Whether it is shown apart, for those who know."""

    @property
    def is_number(self) -> bool:
        return self.type in NUMBERS

    @property
    def is_whole(self) -> bool:
        """Whether only whole numbers are meant."""
        return self.integer or self.type == "integer"

    @property
    def help(self) -> str:
        """The note, with a word about what is fixed."""
        if self.fixed is None:
            return self.note
        said = f"The model always draws with {self.fixed:g}; other values are accepted and change nothing."
        return f"{self.note} {said}".lstrip()

    @property
    def is_file(self) -> bool:
        """Whether its value is one or several files."""
        return self.type in FILES

    @property
    def most_files(self) -> int:
        """How many files it takes, if it takes files."""
        return 1 if self.type == ONE_FILE else self.max_files or MOST_FILES

    def __post_init__(self) -> None:
        if problem := _problem(self):
            raise ValueError(f"parameter [{self.id}] {problem}")


class Group(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters shown together."""

    title: str
    items: tuple[Parameter, ...]


def _problem(parameter: Parameter) -> str | None:
    """What is wrong with a parameter; None if nothing is."""
    if not _ID.fullmatch(parameter.id) or parameter.id in RESERVED:
        return "cannot be an id: letters, digits, - and _, a letter first, and not callbackUrl or projectid"
    if parameter.type not in TYPES:
        return f"has the type {parameter.type!r}, which is none of {', '.join(TYPES)}"
    return (
        _problem_of_options(parameter)
        or _problem_of_files(parameter)
        or _problem_of_number(parameter)
        or _problem_of_default(parameter)
    )


def _problem_of_options(parameter: Parameter) -> str | None:
    values = [option.value for option in parameter.options]
    if parameter.type != SELECT:
        return f"has options, which a {parameter.type} cannot have" if values else None
    if not values:
        return "is a select without options"
    if "" in values or len(set(values)) < len(values):
        return "has an option that is empty or stands there twice"
    return None


def _problem_of_files(parameter: Parameter) -> str | None:
    most = parameter.max_files
    if most is None:
        return None
    if not parameter.is_file or parameter.type == ONE_FILE:
        return f"has max_files, which a {parameter.type} cannot have"
    return None if 1 <= most <= MOST_FILES else f"has max_files of {most}, which is not 1 to {MOST_FILES}"


def _problem_of_number(parameter: Parameter) -> str | None:
    given = [name for name in _OF_NUMBERS if _is_given(getattr(parameter, name))]
    if not parameter.is_number:
        return f"has {', '.join(given)}, which a {parameter.type} cannot have" if given else None
    low, high, step = parameter.min, parameter.max, parameter.step
    if not all(math.isfinite(number) for number in (low, high, step) if number is not None):
        return "has a min, max or step that is not finite"
    if low is not None and high is not None and low > high:
        return f"has a min of {low} above its max of {high}"
    if parameter.type == "range" and (low is None or high is None):
        return "is a range, which needs min and max"
    if not _fits(parameter, parameter.fixed):
        return (
            f"is fixed at {parameter.fixed}, which is no {'whole' if parameter.is_whole else 'finite'} number"
        )
    if step is not None and step <= 0:
        return f"has a step of {step}, which is not above 0"
    if parameter.multiple_of is not None and (parameter.multiple_of < 1 or not parameter.is_whole):
        return "has a multiple_of, which must be at least 1 and needs integer = true"
    return None


def _fits(parameter: Parameter, value: int | float | None) -> bool:
    """Whether it is a number of the parameter's kind, limits aside."""
    return value is None or (math.isfinite(value) and (float(value).is_integer() or not parameter.is_whole))


def _is_given(value: object) -> bool:
    return value is not None and value is not False


def _problem_of_default(parameter: Parameter) -> str | None:
    default = parameter.default
    if default is None:
        return None
    if parameter.is_file:
        return "has a default, which files cannot have"
    if parameter.is_number:
        return _problem_of_default_number(parameter, default)
    if not isinstance(default, str):
        return f"has the default {default!r}, which is no text"
    allowed = [option.value for option in parameter.options]
    if allowed and default not in allowed:
        return f"has the default {default!r}, which is none of {', '.join(allowed)}"
    return None


def _problem_of_default_number(parameter: Parameter, default: str | int | float) -> str | None:
    if isinstance(default, str) or not math.isfinite(default):
        return f"has the default {default!r}, which is no number"
    if default == 0 and parameter.zero_is_unset:
        return None
    low, high = parameter.min, parameter.max
    if (low is not None and default < low) or (high is not None and default > high):
        return f"has the default {default}, which is not between {low} and {high}"
    if parameter.is_whole and not float(default).is_integer():
        return f"has the default {default}, which is no whole number"
    if parameter.multiple_of and default % parameter.multiple_of:
        return f"has the default {default}, which is no multiple of {parameter.multiple_of}"
    return None
