"""Measurements by name, as text on the command line or in a file: `settling_time=0.01`."""

import inspect
from typing import Any, get_args

from quantiphy import Quantity

from cosim.errors import ConfigurationError
from cosim.netlist.units import si
from cosim.trace.measure import Measurements
from cosim.trace.table import Table
from cosim.trace.waveform import Edge

NAMES = sorted(
    name
    for kind in Measurements.__mro__
    for name in vars(kind)
    if kind is not object and not name.startswith("_") and name not in ("between", "crossings")
)
USUAL = ("min", "max", "mean", "rms")
SIGNALS, COUNTS, EDGES = ("of", "current"), ("number", "harmonics"), ("edge", "of_edge")


def measure_named(table: Table, signal: str, asked: str) -> Quantity:
    """One measurement of a signal.

    Args:
        asked: its name, then `=` and its arguments, separated by commas, if any: `max`, `at=5u`,
            `crossing=0.5,rise,2`, `delay=in`, `energy=i(vdd)`.

    Raises:
        ConfigurationError: there is no such measurement, or its arguments are none.
        MeasurementError, TraceError: as the measurement, and `Table`'s signals.
    """
    name, _, arguments = asked.partition("=")
    if name not in NAMES:
        raise ConfigurationError(f"There is no measurement '{name}'. There are {', '.join(NAMES)}.")
    method = getattr(table[signal], name)
    taken = [one for one in inspect.signature(method).parameters if one != "levels"]
    texts = arguments.split(",") if arguments else []
    if len(texts) > len(taken) or (len(texts) == 0 and taken[:1] and taken[0] in _needed(method)):
        raise ConfigurationError(
            f"'{asked}' does not fit: {name} takes {', '.join(taken) or 'no argument'}, such as "
            f"{name}={','.join(taken[:1])}."
        )
    given = {one: _argument(table, one, text) for one, text in zip(taken, texts, strict=False)}
    result: Quantity = method(**given)
    return result


def _needed(method: Any) -> list[str]:
    parameters = inspect.signature(method).parameters.values()
    return [one.name for one in parameters if one.default is inspect.Parameter.empty]


def _argument(table: Table, name: str, text: str) -> Any:
    if name in SIGNALS:
        return table[text]
    if name in EDGES:
        if text not in get_args(Edge):
            raise ConfigurationError(f"'{text}' is no {name}: give {', '.join(get_args(Edge))}.")
        return text
    if name in COUNTS:
        if not text.lstrip("-").isdigit():
            raise ConfigurationError(f"'{text}' is no {name}: give a whole number.")
        return int(text)
    return si(text, f"'{name}'")
