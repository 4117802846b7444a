"""Arms of the semi-supervised experiment, and the trials they stand for."""

from __future__ import annotations

from dataclasses import dataclass

#: Methods and, where they have one, the setting that is chosen or fixed for them.
METHODS = {
    "supervised": None,
    "random": "epsilon",
    "vat": "epsilon",
    "vat_entmin": "epsilon",
    "generator": "lambda",
    "bounded_generator": "epsilon",
    "bounded_generator_entmin": "epsilon",
    "mine_uae": "size",
}
#: Those that train a network to make the examples.
GENERATORS = tuple(name for name in METHODS if "generator" in name)
#: Whose choice a method without a search of its own takes over.
_BORROWS = {
    "vat_entmin": "vat",
    "bounded_generator_entmin": "bounded_generator",
}


@dataclass(frozen=True)
class Trial:
    """A method with its setting: what is trained once per seed.

    Attributes:
        method: a key of `METHODS`.
        value: of its setting, None where it has none.
    """

    method: str
    value: float | None

    @property
    def key(self) -> str:
        """Name in results.json."""
        return self.method if self.value is None else f"{self.method}@{self.value:g}"


@dataclass(frozen=True)
class Arm:
    """A row of the table.

    Attributes:
        name: such as "vat" (setting chosen on validation data) or "vat_0.1" (fixed).
        method: a key of `METHODS`.
        value: the fixed setting, or None.
    """

    name: str
    method: str
    value: float | None

    @property
    def is_chosen(self) -> bool:
        """Whether the setting is chosen on validation data."""
        return self.value is None and METHODS[self.method] is not None

    @property
    def chosen_by(self) -> str:
        """The method whose validation errors choose the setting."""
        return _BORROWS.get(self.method, self.method)


def parse_arm(name: str) -> Arm:
    """Reads an arm's name.

    Raises:
        ValueError: no such method, or a fixed setting that is no positive number.

    Example:
        >>> parse_arm("vat_0.1").value, parse_arm("vat_entmin").is_chosen
        (0.1, True)
    """
    if name in METHODS:
        return Arm(name, name, None)
    method, _, text = name.rpartition("_")
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if METHODS.get(method) is None or not 0.0 < value < float("inf"):
        names = ", ".join(METHODS)
        raise ValueError(
            f"`methods` must be some of: {names}; or one of them with its setting "
            f"fixed, such as vat_0.1 or generator_1.0. Received: {name!r}"
        )
    return Arm(name, method, value)
