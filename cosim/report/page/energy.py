"""Energy by supply and by block, from recorded currents of constant voltage sources.

A supply is a source between a node and ground; a meter is SPICE's ammeter, a source of 0 V between
a supply's node and a block (`cosim.netlist.metering` puts them in).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from cosim.netlist.model import GROUND, Element, Scope
from cosim.netlist.numbers import number
from cosim.trace import Trace

MOST_NAMES = 8


@dataclass(frozen=True)
class Energy:
    """What a source has given, in joule and on average in watt; `to` says to whom."""

    source: str
    to: str
    joule: float
    watt: float


def energies(trace: Trace, top: Scope) -> list[Energy]:
    """Of every source of the netlist's top level with a constant voltage and a recorded current.

    What a supply gives past its meters is told of the elements that take it, together.
    """
    sources = {one.name: one for one in top.elements if one.letter == "v"}
    volts = _constant(top)
    supplies = supplies_of(top)
    time_second = trace.time_second
    span = float(np.ptp(time_second)) if len(time_second) else 0.0
    found = []
    metered: dict[str, float] = {}
    for signal, name in _currents(trace, volts) if span else ():
        plus, minus = sources[name].nodes
        charge = float(np.trapezoid(trace[signal].values, time_second))
        if minus == GROUND:  # its current goes into the positive node
            joule, to = -volts[name] * charge, "all"
        elif volts[name] == 0 and plus in supplies:
            joule, to = volts[supplies[plus]] * charge, _named(top, minus)
            metered[plus] = metered.get(plus, 0.0) + joule
        else:
            continue
        found.append(Energy(name, to, joule, joule / span))
    for place, one in enumerate(tuple(found)):
        node = sources[one.source].nodes[0]
        takers = takers_of(top, node)
        if supplies.get(node) != one.source or not takers:
            continue
        names = _listed(taker.name for taker in takers)
        if node in metered:
            joule = one.joule - metered[node]
            found.append(Energy(f"{one.source} but for its meters", names, joule, joule / span))
        elif len(takers) == 1:
            found[place] = replace(one, to=names)
    return [one for one in found if np.isfinite(one.joule)]


def advice(trace: Trace, top: Scope) -> str:
    """How to have the energy told of blocks that it is not told of; '' where it is of all."""
    said = []
    supplies = supplies_of(top)
    recorded = {name for _, name in _currents(trace, supplies.values())}
    if missing := [name for name in supplies.values() if name not in recorded]:
        currents = ", ".join(f"i({name})" for name in missing)
        said.append(f"Record {currents} to have the energy of what they supply.")
    for node in supplies:
        blocks = [one.name for one in takers_of(top, node) if one.letter == "x"]
        if len(takers_of(top, node)) > 1 and blocks:
            kind = blocks[0][1:]
            said.append(
                f"What {_listed(blocks)} take from {node} is told apart by a meter for each: for "
                f"{blocks[0]} write `Vmeter_{kind} {node} {node}_{kind} 0`, give it the node "
                f"{node}_{kind} for {node}, and record i(vmeter_{kind})."
            )
    return " ".join(said)


def supplies_of(top: Scope) -> dict[str, str]:
    """Sources of a constant voltage other than 0 to ground, by node."""
    volts = _constant(top)
    return {
        one.nodes[0]: one.name
        for one in top.elements
        if volts.get(one.name) and one.nodes[1] == GROUND
    }


def takers_of(top: Scope, node: str) -> list[Element]:
    """What draws a current from a supply's node that no meter tells."""
    volts = _constant(top)
    return [
        one
        for one in top.elements
        if node in one.terminals
        and not (one.name in volts and (volts[one.name] == 0 or GROUND in one.nodes))
    ]


def _listed(names: Iterable[str]) -> str:
    first, more = (every := list(names))[:MOST_NAMES], len(every) - MOST_NAMES
    return ", ".join(first) + (f" and {more} more" if more > 0 else "")


def _constant(top: Scope) -> dict[str, float]:
    return {
        one.name: volt
        for one in top.elements
        if one.letter == "v" and (volt := _volt(one)) is not None
    }


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


def _named(top: Scope, node: str) -> str:
    return ", ".join(one.name for one in top.elements if one.letter == "x" and node in one.nodes)
