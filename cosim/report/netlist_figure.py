"""A netlist as picture: its hierarchy of subcircuits, and how the top's blocks are connected."""

from collections import Counter
from pathlib import Path

import matplotlib.pyplot as plt
import networkx as nx
from matplotlib.axes import Axes

from cosim.netlist.model import GROUND, Parsed, Scope
from cosim.report.figures import save_figure

SUPPLIES = {GROUND, "vdd", "analog_ground", "word_line"}
"""Nets that would join everything with everything."""
LAYOUT_SEED = 1


def draw_graph(parsed: Parsed, title: str, path: Path) -> None:
    """Hierarchy on the left, top-level connectivity on the right; the suffix names the format."""
    figure, (tree, wiring) = plt.subplots(
        1, 2, figsize=(15, 9), width_ratios=(1, 2.2), layout="constrained"
    )
    _draw_hierarchy(parsed, tree)
    _draw_wiring(parsed.top, wiring)
    figure.suptitle(title)
    save_figure(figure, path)


def _draw_hierarchy(parsed: Parsed, axes: Axes) -> None:
    lines: list[str] = []
    _describe(parsed.top, "netlist", 1, 0, lines)
    axes.text(
        0, 1, "\n".join(lines), family="monospace", fontsize=7, va="top", transform=axes.transAxes
    )
    axes.set_axis_off()
    axes.set_title("hierarchy", loc="left")


def _describe(scope: Scope, name: str, count: int, depth: int, lines: list[str]) -> None:
    """A line for each kind of block, how often it occurs in the one above, and its devices."""
    instances: Counter[str] = Counter()
    devices: Counter[str] = Counter()
    for element in scope.elements:
        inner = scope.subcircuit(element.target) if element.letter == "x" else None
        if inner is not None and not inner.external:
            instances[inner.name] += 1
        else:
            devices[element.target or element.letter.upper()] += 1
    own = ", ".join(f"{number} {kind}" for kind, number in sorted(devices.items()))
    times = f"{count} x " if count > 1 else ""
    lines.append(f"{'    ' * depth}{times}{name}{': ' + own if own else ''}")
    for inner_name, number in instances.items():
        inner = scope.subcircuit(inner_name)
        assert inner is not None  # it has just been counted
        _describe(inner, inner_name, number, depth + 1, lines)


def _draw_wiring(top: Scope, axes: Axes) -> None:
    graph = nx.Graph()
    blocks = {}
    for element in top.elements:
        nets = {*element.nodes, *element.senses} - SUPPLIES
        if not nets:
            continue
        blocks[element.name] = element.letter == "x"
        for net in nets:
            graph.add_edge(element.name, f"net {net}")
    place = nx.spring_layout(graph, seed=LAYOUT_SEED, k=2.0 / max(len(graph), 1) ** 0.5)
    nx.draw_networkx_edges(graph, place, ax=axes, edge_color="0.7")
    joints = [node for node in graph if node.startswith("net ")]
    nx.draw_networkx_nodes(graph, place, nodelist=joints, node_size=12, node_color="black", ax=axes)
    nx.draw_networkx_labels(
        graph, {net: place[net] + (0, 0.02) for net in joints}, font_size=6, font_color="0.3",
        labels={net: net.removeprefix("net ") for net in joints}, ax=axes,
    )  # fmt: skip
    for block, is_instance in blocks.items():
        axes.annotate(
            block[1:] if is_instance else block,
            place[block],
            ha="center",
            va="center",
            fontsize=7,
            bbox={
                "boxstyle": "round" if is_instance else "square",
                "facecolor": "lightsteelblue" if is_instance else "white",
                "edgecolor": "0.4",
            },
        )
    axes.set_axis_off()
    axes.set_title("top level: blocks and nets (supplies and references left out)", loc="left")
