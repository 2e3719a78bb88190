"""Energy by supply and by block, from recorded currents of constant voltage sources.

A supply is a source between a node and ground; a meter is SPICE's ammeter, a source of 0 V between
a supply's node and a block (`cosim.netlist.metering` puts them in).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from cosim.netlist.model import GROUND, Element, Scope
from cosim.netlist.numbers import number
from cosim.trace import Trace


@dataclass(frozen=True)
class Energy:
    """What a source has given, in joule and on average in watt; `to` says to whom."""

    source: str
    to: str
    joule: float
    watt: float


def energies(trace: Trace, top: Scope) -> list[Energy]:
    """Of every source of the netlist's top level with a constant voltage and a recorded current."""
    sources = {one.name: one for one in top.elements if one.letter == "v"}
    volts = {name: volt for name, one in sources.items() if (volt := _volt(one)) is not None}
    supplies = {
        sources[name].nodes[0]: volt
        for name, volt in volts.items()
        if sources[name].nodes[1] == GROUND
    }
    time_second = trace.time_second
    span = float(np.ptp(time_second)) if len(time_second) else 0.0
    found = []
    for signal, name in _currents(trace, volts) if span else ():
        plus, minus = sources[name].nodes
        charge = float(np.trapezoid(trace[signal].values, time_second))
        if minus == GROUND:  # its current goes into the positive node
            joule, to = -volts[name] * charge, "all"
        elif volts[name] == 0 and plus in supplies:
            joule, to = supplies[plus] * charge, _on(top, minus)
        else:
            continue
        found.append(Energy(name, to, joule, joule / span))
    return [one for one in found if np.isfinite(one.joule)]


def _currents(trace: Trace, sources: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Signals that are the current of a source, such as `i(vdd)` and `supply.vdd`, and of which."""
    known = set(sources)
    for signal in trace.names:
        name = signal.removeprefix("i(").removesuffix(")").rpartition(".")[2].lower()
        if name in known and trace[signal].unit == "A":
            yield signal, name


def _volt(source: Element) -> float | None:
    values = source.values[1:] if source.values[:1] == ("dc",) else source.values
    return number(values[0]) if len(values) == 1 else None


def _on(top: Scope, node: str) -> str:
    return ", ".join(one.name for one in top.elements if one.letter == "x" and node in one.nodes)
