"""What the server says about its models, typed."""

import msgspec


class Option(msgspec.Struct, frozen=True):
    """One choice of a select."""

    value: str
    label: str


class Input(msgspec.Struct, frozen=True, kw_only=True):
    """One input of a model: how it is shown and what it accepts."""

    id: str
    """The name to give it in a Run."""
    type: str
    label: str = ""
    note: str = ""
    default: str | int | float | None = None
    required: bool = False
    options: tuple[Option, ...] = ()
    min: int | float | None = None
    max: int | float | None = None
    step: int | float | None = None


class Group(msgspec.Struct, frozen=True):
    """Inputs shown together."""

    title: str
    items: tuple[Input, ...]


class Model(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    rename={"owner": "cleanslugowner", "project": "cleanslugproject", "groups": "parameters"},
):
    """A model's page."""

    owner: str
    project: str
    title: str = ""
    description: str = ""
    categories: tuple[str, ...] = ()
    groups: tuple[Group, ...] | None = None

    @property
    def name(self) -> str:
        """`owner/model`, as a Run names it."""
        return f"{self.owner}/{self.project}"

    @property
    def inputs(self) -> tuple[Input, ...]:
        """Every input of every group."""
        return tuple(item for group in self.groups or () for item in group.items)
