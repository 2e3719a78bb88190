"""Electrical rules: what is wrong with a netlist before it is simulated.

ngspice answers many of these with exit code 0 and a wrong or arbitrary operating point.
Source: Vladimirescu, The SPICE Book, section 4.6 (topology that makes the matrix singular);
ngspice manual, chapter 'Circuit elements'.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import networkx as nx
from networkx.utils import UnionFind

from cosim.netlist.parse import (
    GROUND,
    MODEL_LETTERS,
    Device,
    Element,
    Parsed,
    Scope,
    number,
    parse,
)
from cosim.process.process import processes

MICRO = 1e-6
POSITIVE = {"r": "resistance", "c": "capacitance", "l": "inductance"}
SHOWN_NODES = 3


@dataclass(frozen=True, order=True)
class Finding:
    """One fault: where, which rule, what, and what to do."""

    line: int
    rule: str
    element: str
    node: str
    message: str
    remedy: str

    def __str__(self) -> str:
        where = ", ".join(
            part
            for part in (
                f"line {self.line}" if self.line else "",
                self.element,
                f"node {self.node}" if self.node else "",
            )
            if part
        )
        return f"{where}: {self.rule}. {self.message} {self.remedy}"


def check(text: str, path: Path | None = None) -> list[Finding]:
    """Findings of every rule, in order of line; none for a sound netlist."""
    return check_parsed(parse(text, path))


def check_parsed(parsed: Parsed) -> list[Finding]:
    """As `check`, of a netlist that has been read."""
    findings = [
        Finding(fault.line, fault.rule, fault.element, "", fault.message, fault.remedy)
        for fault in parsed.problems
    ]
    for scope in parsed.scopes():
        findings += _names(scope)
        findings += _floating(scope, parsed.observed if scope is parsed.top else frozenset())
        findings += _values(scope)
    try:
        devices = list(parsed.devices())
    except RecursionError as error:
        findings.append(
            Finding(
                0,
                "recursion",
                str(error)[:80],
                "",
                "A subcircuit contains itself.",
                "Remove the instance that closes the circle.",
            )
        )
        return sorted(findings)
    findings += _ground(devices)
    findings += _shorted(devices)
    findings += _voltage_loops(devices)
    findings += _no_dc_path(devices)
    findings += _feedback(parsed)
    return sorted(set(findings))


# -- rules of one scope -------------------------------------------------------------------------


def _names(scope: Scope) -> Iterator[Finding]:
    """Models and subcircuits that do not exist, instances with a wrong number of nodes."""
    for element in scope.elements:
        if element.letter == "x" and element.target is not None:
            inner = scope.subcircuit(element.target)
            if inner is None:
                yield Finding(
                    element.line, "unknown subcircuit", element.name, "",
                    f"Subcircuit '{element.target}' is not defined.",
                    "Define or include it, or correct the name.",
                )  # fmt: skip
            elif len(inner.ports) != len(element.nodes):
                yield Finding(
                    element.line, "port count", element.name, "",
                    f"'{element.target}' has {len(inner.ports)} ports, but the instance "
                    f"{len(element.nodes)} nodes.",
                    f"Its ports are: {' '.join(inner.ports)}.",
                )  # fmt: skip
            elif not inner.external:
                yield from _unknown_parameters(element, inner)
        elif element.letter in MODEL_LETTERS and not scope.has_model(element.target or ""):
            yield Finding(
                element.line, "unknown model", element.name, "",
                f"Model '{element.target}' is not defined.",
                "Define it with .model, or correct the name.",
            )  # fmt: skip


def _unknown_parameters(element: Element, inner: Scope) -> Iterator[Finding]:
    for name in sorted(set(element.parameters) - inner.parameters - {"m"}):
        yield Finding(
            element.line, "parameter", element.name, "",
            f"'{inner.name}' has no parameter '{name}', and ngspice would leave it out.",
            f"It has: {' '.join(sorted(inner.parameters)) or 'none'}.",
        )  # fmt: skip


def _floating(scope: Scope, observed: frozenset[str]) -> Iterator[Finding]:
    """Nodes that only one terminal is connected to; the observed output of a block is sound."""
    connections: Counter[str] = Counter()
    first: dict[str, Element] = {}
    for element in scope.elements:
        for node in (*element.nodes, *element.senses):
            connections[node] += 1
            first.setdefault(node, element)
    for node, count in connections.items():
        if count == 1 and node != GROUND and node not in scope.ports:
            element = first[node]
            if element.letter == "x" and node in observed:
                continue
            yield Finding(
                element.line, "floating node", element.name, node,
                "Nothing else is connected to it.",
                "Connect it, or correct the node's name.",
            )  # fmt: skip


def _values(scope: Scope) -> Iterator[Finding]:
    """Values that a device cannot have."""
    for element in scope.elements:
        if (what := POSITIVE.get(element.letter)) is not None:
            text = element.values[0] if element.values else element.parameters.get(
                element.letter, ""
            )  # fmt: skip
            value = number(text)
            if value is not None and not (math.isfinite(value) and value > 0):
                yield _bad_value(element, what, text, "a finite value above 0")
        for name, text in element.parameters.items():
            value = number(text)
            if value is not None and not math.isfinite(value):
                yield _bad_value(element, name, text, "a number")
            elif value is not None and value <= 0 and element.letter == "m" and name in "wl":
                yield _bad_value(element, name, text, "a length above 0")
        for process in processes().values():
            if element.target not in (process.N_MODEL, process.P_MODEL):
                continue
            for name, (low, high) in (("w", process.WIDTH_METRE), ("l", process.LENGTH_METRE)):
                value = number(element.parameters.get(name, ""))
                if value is not None and not low * 0.999 <= value <= high * 1.001:
                    yield _bad_value(
                        element, name, element.parameters[name],
                        f"{low / MICRO:g} to {high / MICRO:g} um, for which the model was made",
                    )  # fmt: skip
        if (multiplier := number(element.parameters.get("m", ""))) is not None and multiplier <= 0:
            yield _bad_value(element, "m", element.parameters["m"], "a number above 0")


def _bad_value(element: Element, what: str, text: str, wanted: str) -> Finding:
    return Finding(
        element.line, "parameter", element.name, "", f"Its {what} is {text}.", f"Give {wanted}."
    )


# -- rules of the flattened netlist -------------------------------------------------------------


def _ground(devices: list[Device]) -> Iterator[Finding]:
    if devices and not any(GROUND in device.terminals for device in devices):
        yield Finding(
            0, "no ground", "", GROUND, "No device is connected to ground.",
            "Name one node 0: voltages are measured against it.",
        )  # fmt: skip


def _shorted(devices: list[Device]) -> Iterator[Finding]:
    for device in devices:
        if len(device.terminals) > 1 and len(set(device.terminals)) == 1:
            yield Finding(
                device.element.line, "shorted device", device.path, device.terminals[0],
                "All its terminals are on one node.", "Correct one of its nodes.",
            )  # fmt: skip


def _voltage_loops(devices: list[Device]) -> Iterator[Finding]:
    """Loops of voltage sources and inductors: no current, or an infinite one, solves them."""
    joined = UnionFind()
    for device in devices:
        element = device.element
        if not (element.is_voltage or element.letter == "l") or len(set(device.terminals)) == 1:
            continue
        first, second = device.terminals[:2]
        if joined[first] == joined[second]:
            yield Finding(
                element.line, "voltage loop", device.path, first,
                "It closes a loop of voltage sources or inductors.",
                "Break the loop with a small resistance, or remove one source.",
            )  # fmt: skip
        joined.union(first, second)


def _no_dc_path(devices: list[Device]) -> Iterator[Finding]:
    """Groups of nodes that no direct current connects with ground."""
    joined = UnionFind([GROUND])
    touching: dict[str, list[Device]] = defaultdict(list)
    for device in devices:
        for node in device.terminals:
            joined[node]
            touching[node].append(device)
        for group in _conducting(device):
            joined.union(*group)
    for group in joined.to_sets():
        if GROUND in group:
            continue
        around = [device for node in sorted(group) for device in touching[node]]
        if not around:
            continue
        named = ", ".join(sorted(group)[:SHOWN_NODES]) + (", ..." if len(group) > 3 else "")
        driven = [device for device in around if _is_current_source(device)]
        element = (driven or around)[0]
        if driven and all(len(set(device.terminals) & group) < 2 for device in driven):
            yield Finding(
                element.element.line, "current source cut set", element.path, named,
                "Only current sources and capacitors reach it, so its voltage is not defined.",
                "Give it a resistance to ground.",
            )  # fmt: skip
        else:
            yield Finding(
                element.element.line, "no DC path", element.path, named,
                "No direct current reaches ground from it; ngspice would hold it by gmin.",
                "Give it a resistance to ground, or connect what should drive it.",
            )  # fmt: skip


def _is_current_source(device: Device) -> bool:
    return device.element.letter in "igf" or (
        device.element.letter == "b" and not device.element.is_voltage
    )


def _conducting(device: Device) -> Iterable[tuple[str, ...]]:
    """Groups of a device's terminals that direct current passes between."""
    terminals, letter = device.terminals, device.element.letter
    if letter == "c":
        return ()
    if letter in "gb" and not device.element.is_voltage:
        # A current that depends on the voltage across itself is a resistor.
        own = set(terminals) - {GROUND}
        return (terminals,) if own and own <= set(device.controls) else ()
    if letter in "if":
        return ()
    if letter in "mz" or (letter == "j"):
        return ((terminals[0], *terminals[2:]),)
    if letter == "x" and device.ports[:4] == ("d", "g", "s", "b"):
        return ((terminals[0], terminals[2], terminals[3]),)
    return (terminals,)


# -- feedback -----------------------------------------------------------------------------------


def _feedback(parsed: Parsed) -> Iterator[Finding]:
    """Op-amps whose output reaches neither input but through supplies: nothing sets them."""
    for scope in parsed.scopes():
        graph: nx.Graph = nx.Graph()
        stiff = {GROUND, *_fixed(scope)}
        amplifiers = []
        for index, element in enumerate(scope.elements):
            inner = scope.subcircuit(element.target) if element.letter == "x" else None
            ports = inner.ports if inner is not None else ()
            nodes = dict(zip(ports, element.nodes, strict=False))
            if {"non_inverting", "inverting", "out"} <= set(nodes):
                amplifiers.append((element, nodes))
                continue
            for node in {*element.nodes, *element.senses} - stiff:
                graph.add_edge(("element", index), node)
        for element, nodes in amplifiers:
            out, inputs = nodes["out"], {nodes["inverting"], nodes["non_inverting"]}
            reached = nx.node_connected_component(graph, out) if out in graph else {out}
            # The port's other side may close the loop.
            outside = set(scope.ports) - stiff - {"vdd", "vss", "analog_ground"}
            if not inputs & reached and not (outside & reached and outside & inputs):
                yield Finding(
                    element.line, "dangling feedback", element.name, out,
                    "No path leads from the op-amp's output to its inputs.",
                    "Close the loop to the inverting input.",
                )  # fmt: skip


def _fixed(scope: Scope) -> set[str]:
    """Nodes that voltage sources tie to ground."""
    joined = UnionFind([GROUND])
    for element in scope.elements:
        if element.letter == "v":
            joined.union(*element.terminals)
    return {node for node in joined if joined[node] == joined[GROUND]}
