"""The points of a sweep, and the netlist and blocks of each."""

import inspect
import itertools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cosim.errors import ConfigurationError
from cosim.lockstep.block import Block
from cosim.netlist.circuit import Netlist
from cosim.netlist.units import si

Value = float | int | str
Point = dict[str, Value]
Blocks = Sequence[Block] | Callable[..., Sequence[Block]]

VARIANT = ("corner", "temperature", "seed")


@dataclass(frozen=True)
class Points:
    """A grid, or a list.

    Attributes:
        axes: of a grid, the values of each name; empty for a list.
        points: every point, the last name of a grid running fastest.
    """

    axes: dict[str, list[Value]]
    points: list[Point]

    @classmethod
    def of(cls, over: Mapping[str, Sequence[Value]] | Sequence[Mapping[str, Value]]) -> "Points":
        """From names and their values, or from a list of points.

        Raises:
            ConfigurationError: there is no point, or points have different names.
        """
        if isinstance(over, Mapping):
            axes = {
                name: [_value(name, value) for value in values] for name, values in over.items()
            }
            points = [
                dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())
            ]
        else:
            axes = {}
            points = [{name: _value(name, value) for name, value in one.items()} for one in over]
        if not points or not points[0]:
            raise ConfigurationError("There is nothing to sweep over. Give names and their values.")
        for point in points:
            if point.keys() != points[0].keys():
                raise ConfigurationError(
                    f"The points of a sweep have the same names, but one has {list(point)} and the "
                    f"first {list(points[0])}."
                )
        return cls(axes, points)

    @property
    def names(self) -> list[str]:
        """What is swept."""
        return list(self.points[0])


def description(point: Point) -> str:
    """Such as `rload=1000, corner=ss`."""
    return ", ".join(
        f"{name}={value:g}" if isinstance(value, float) else f"{name}={value}"
        for name, value in point.items()
    )


def variants(
    netlist: Netlist, blocks: Blocks, points: Points
) -> Iterator[tuple[Netlist, Sequence[Block]]]:
    """Netlist and blocks of each point.

    Raises:
        ConfigurationError: a name that neither the netlist nor the blocks have.
    """
    makes = None if isinstance(blocks, Sequence) else blocks
    taken = [] if makes is None else list(inspect.signature(makes).parameters)
    for name in points.names:
        if name not in (*VARIANT, *taken) and name.lower() not in netlist.parameters:
            raise ConfigurationError(
                f"There is no '{name}' to sweep. The netlist '{netlist.title}' has the parameters "
                f"{', '.join(netlist.parameters) or '(none)'}, the blocks "
                f"{', '.join(taken) or '(none; give a function of them that returns the blocks)'}; "
                f"beside these there are {', '.join(VARIANT)}."
            )
    for point in points.points:
        own = {name: point[name] for name in points.names if name.lower() in netlist.parameters}
        variant: dict[str, Any] = {name: point[name] for name in VARIANT if name in point}
        made: Sequence[Block]
        if isinstance(blocks, Sequence):
            made = blocks
        else:
            made = blocks(**{name: point[name] for name in taken if name in point})
        yield netlist.given(own, **variant), made


def _value(name: str, value: Any) -> Value:
    """A plain value; numbers may be written as in a netlist."""
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, str) and name != "corner" and re.match(r"[+-]?[\d.]", value):
        return si(value, f"'{name}'")
    if not isinstance(value, int | float | str):
        raise ConfigurationError(f"'{name}' cannot be {value!r}: sweep over numbers or names.")
    return value
