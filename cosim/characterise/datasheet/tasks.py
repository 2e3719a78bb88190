"""What is to be run for a datasheet: benches at points, each with a key of its own."""

import hashlib
import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from cosim.characterise.datasheet.file import Condition, Datasheet, Value

Point = dict[str, Value]
"""Values of all conditions by name; of a Monte Carlo draw 'seed', too."""

KEY_LETTERS = 12


@dataclass(frozen=True)
class Task:
    """One bench at one point.

    Attributes:
        parameters: which it is to measure there.
        key: of what determines the result: circuit, bench, point, versions.
    """

    bench: str
    point: Point
    parameters: tuple[str, ...]
    key: str

    @property
    def seed(self) -> int | None:
        """Of a Monte Carlo draw."""
        seed = self.point.get("seed")
        return None if seed is None else int(seed)


def described(point: Mapping[str, Value]) -> str:
    """Such as `vdd=3.3 corner=ss seed=7`."""
    said = " ".join(
        f"{name}={value:g}" if isinstance(value, float) else f"{name}={value}"
        for name, value in point.items()
    )
    return said or "its only point"


def typical_point(sheet: Datasheet, parameter: str) -> Point:
    """Where a parameter's typical value is measured."""
    conditions = sheet.conditions | sheet.parameters[parameter].conditions
    return {name: one.typical_value for name, one in conditions.items()}


def corner_points(sheet: Datasheet, parameter: str) -> list[Point]:
    """Every combination of a parameter's conditions, the typical one among them."""
    conditions = sheet.conditions | sheet.parameters[parameter].conditions
    points = _grid({name: one.all_values for name, one in conditions.items()})
    typical = typical_point(sheet, parameter)
    return points if typical in points else [typical, *points]


def draw_points(sheet: Datasheet, parameter: str, draws: int) -> list[Point]:
    """Every Monte Carlo draw of a parameter."""
    if not sheet.parameters[parameter].monte_carlo:
        return []
    given: Mapping[str, Condition] = sheet.monte_carlo.conditions
    values: dict[str, Sequence[Value]] = {
        name: given[name].all_values if name in given else (value,)
        for name, value in typical_point(sheet, parameter).items()
    }
    first = sheet.monte_carlo.first_seed
    return [
        point | {"seed": seed} for point in _grid(values) for seed in range(first, first + draws)
    ]


def _grid(values: Mapping[str, Sequence[Value]]) -> list[Point]:
    return [dict(zip(values, one, strict=True)) for one in itertools.product(*values.values())]


def tasks(
    sheet: Datasheet,
    fingerprints: Mapping[str, str],
    *,
    draws: int | None = None,
    only_typical: bool = False,
    parameters: Sequence[str] = (),
) -> list[Task]:
    """What is to be run: typical points first, then all others, then draws.

    Args:
        fingerprints: of each bench: everything but the point that determines its results.
        draws: Monte Carlo draws instead of the file's.
        only_typical: leave out the other points and the draws.
        parameters: leave out others.
    """
    count = sheet.monte_carlo.draws if draws is None else draws
    phases: list[Callable[[str], list[Point]]] = [lambda name: [typical_point(sheet, name)]]
    if not only_typical:
        phases.append(lambda name: corner_points(sheet, name))
        phases.append(lambda name: draw_points(sheet, name, count))
    wanted: dict[tuple[str, str], tuple[Point, dict[str, None]]] = {}
    for points_of in phases:
        for name in parameters or sheet.parameters:
            bench = sheet.parameters[name].bench
            for point in points_of(name):
                place = (bench, json.dumps(point, sort_keys=True))
                wanted.setdefault(place, (point, {}))[1][name] = None
    return [
        Task(bench, point, tuple(names), _key(fingerprints[bench], point))
        for (bench, _), (point, names) in wanted.items()
    ]


def _key(fingerprint: str, point: Point) -> str:
    said = json.dumps([fingerprint, point], sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()[:KEY_LETTERS]
