"""Topology: what no direct current reaches, loops of voltage sources, shorts, loose ends.

Source: Vladimirescu, The SPICE Book, section 4.6 (topology that makes the matrix singular);
ngspice manual, chapter 'Circuit elements'.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

import networkx as nx
from networkx.utils import UnionFind

from cosim.netlist.finding import Finding, found
from cosim.netlist.model import GROUND, MAXIMUM_DEPTH, Device, Element, Parsed, Scope

SHOWN_NODES = 3
UNREAD = frozenset({"wrong-count", "syntax", "unclosed-subcircuit", "unknown-file"})


def topology(parsed: Parsed) -> Iterator[Finding]:
    """Findings of the scopes, then of the flattened netlist."""
    if any(problem.rule in UNREAD for problem in parsed.problems):
        return  # a line is missing here, and would be missed
    known: dict[int, Counter[str]] = {}
    for scope in parsed.scopes():
        yield from _floating(scope, parsed, known)
    try:
        devices = list(parsed.devices())
    except RecursionError as error:
        yield Finding(
            0, "recursion", str(error)[:80], "", "A subcircuit contains itself.",
            "Remove the instance that closes the circle.",
        )  # fmt: skip
        return
    if devices and not any(GROUND in device.terminals for device in devices):
        yield Finding(
            0, "no-ground", "", GROUND, "No device is connected to ground.",
            "Name one node 0: voltages are measured against it.",
        )  # fmt: skip
        return
    yield from _shorted(devices)
    yield from _voltage_loops(devices)
    yield from _no_dc_path(devices)
    yield from _feedback(parsed)


def _floating(scope: Scope, parsed: Parsed, known: dict[int, Counter[str]]) -> Iterator[Finding]:
    """Nodes that only one terminal is connected to; the observed output of a block is sound."""
    observed = parsed.observed if scope is parsed.top else set()
    connections = _connections(scope, known)
    first: dict[str, Element] = {}
    for element in scope.elements:
        for node in (*element.nodes, *element.senses):
            first.setdefault(node, element)
    for node, count in connections.items():
        if count == 1 and node not in {GROUND, *scope.ports, *parsed.global_nodes}:
            element = first[node]
            if element.is_voltage or (element.letter in "xa" and node in observed):
                continue  # it has a voltage, if no load; what it should drive floats, if anything
            yield found(
                element.statement, "floating-node", element.name, node,
                "Nothing else is connected to it.",
                "Connect it, or correct the node's name.",
            )  # fmt: skip


def _connections(scope: Scope, known: dict[int, Counter[str]], depth: int = 0) -> Counter[str]:
    """How many terminals are connected to each node, those inside of instances included.

    Args:
        known: what was found before, by the scope's identity.
    """
    if id(scope) in known or depth > MAXIMUM_DEPTH:
        return known.get(id(scope), Counter())
    count = known[id(scope)] = Counter()
    for element in scope.elements:
        count.update((*element.nodes, *element.senses))
        inner = scope.subcircuit(element.target) if element.letter == "x" else None
        if inner is not None and not inner.external:
            inside = _connections(inner, known, depth + 1)
            for node, port in zip(element.nodes, inner.ports, strict=False):
                count[node] += max(inside[port] - 1, 0)
    return count


# -- rules of the flattened netlist -------------------------------------------------------------


def _shorted(devices: list[Device]) -> Iterator[Finding]:
    for device in devices:
        if len(device.terminals) > 1 and len(set(device.terminals)) == 1:
            yield found(
                device.element.statement, "shorted-device", device.path, device.terminals[0],
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
            yield found(
                element.statement, "voltage-loop", device.path, first,
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
            yield found(
                element.element.statement, "current-source-cut-set", element.path, named,
                "Only current sources and capacitors reach it, so its voltage is not defined.",
                "Give it a resistance to ground.",
            )  # fmt: skip
        else:
            yield found(
                element.element.statement, "no-dc-path", element.path, named,
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
                yield found(
                element.statement, "dangling-feedback", element.name, out,
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
