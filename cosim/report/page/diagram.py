"""The block diagram of a netlist as SVG: the top level's blocks, and the nets that join them."""

from dataclasses import dataclass

import networkx as nx
import numpy as np
from jinja2 import Environment, PackageLoader
from markupsafe import Markup

from cosim.netlist.model import Scope

SUPPLIES = {"0", "gnd", "vdd", "vss", "analog_ground", "word_line"}
"""Nets that would join everything with everything."""
MOST_BLOCKS = 80
LAYOUT_SEED = 1
WIDTH, HEIGHT, MARGIN = 1000.0, 520.0, 60.0


@dataclass(frozen=True)
class Mark:
    """A block or a net at its place."""

    name: str
    x: float
    y: float
    kind: str = "net"

    @property
    def width(self) -> float:
        """Of its box."""
        return 14.0 + 7.2 * min(len(self.shown), 24)

    @property
    def shown(self) -> str:
        """Its name, shortened."""
        return self.name if len(self.name) <= 24 else f"{self.name[:23]}…"


def diagram(top: Scope) -> Markup:
    """The picture of a netlist's top level; empty where there is nothing to see, or too much."""
    graph, kinds = _connected(top)
    if not 1 < len(kinds) <= MOST_BLOCKS:
        return Markup()
    # Of every kind of layout the spring one alone needs nothing that is not installed.
    place = nx.spring_layout(graph, seed=LAYOUT_SEED, k=2.4 / len(graph) ** 0.5, iterations=120)
    spots = np.array(list(place.values()))
    low, span = spots.min(axis=0), np.maximum(np.ptp(spots, axis=0), 1e-9)
    inside = np.array([WIDTH, HEIGHT]) - 2 * MARGIN
    at = {node: MARGIN + inside * (spot - low) / span for node, spot in place.items()}
    marks = [
        Mark(name.partition(" ")[2], float(x), float(y), kinds.get(name, "net"))
        for name, (x, y) in at.items()
    ]
    lines = [(*map(float, at[a]), *map(float, at[b])) for a, b in graph.edges]
    template = _ENVIRONMENT.get_template("diagram.svg")
    return Markup(
        template.render(
            lines=lines, width=WIDTH, height=HEIGHT,
            blocks=[mark for mark in marks if mark.kind != "net"],
            nets=[mark for mark in marks if mark.kind == "net"],
        )
    )  # fmt: skip


_ENVIRONMENT = Environment(loader=PackageLoader("cosim.report.page", ""), autoescape=True)


def _connected(top: Scope) -> tuple[nx.Graph, dict[str, str]]:
    """The graph of blocks and nets; instances alone where there are any, else all elements."""
    elements = [element for element in top.elements if element.letter == "x"]
    kind = "instance" if elements else "element"
    graph, kinds = nx.Graph(), {}
    for element in elements or top.elements:
        nets = {*element.nodes, *element.senses} - SUPPLIES
        if not nets:
            continue
        name = f"block {element.name[1:] if kind == 'instance' else element.name}"
        kinds[name] = kind
        for net in sorted(nets):
            graph.add_edge(name, f"net {net}")
    lonely = [
        node
        for node in graph
        if node not in kinds and graph.degree(node) < 2 and kind == "instance"
    ]
    graph.remove_nodes_from(lonely)
    return graph, {name: one for name, one in kinds.items() if name in graph}
