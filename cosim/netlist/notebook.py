"""How a netlist looks in a notebook."""

from cosim.html import folded, heading, table
from cosim.netlist.circuit import Netlist


def netlist_html(netlist: Netlist) -> str:
    """Its facts and findings, and its text folded."""
    top = [node for node in netlist.nodes if "." not in node]
    facts = [
        ("size", netlist.size),
        ("nodes", ", ".join(top)),
        ("currents", ", ".join(name for name in netlist.currents if "." not in name)),
        ("parameters", ", ".join(f"{name}={value}" for name, value in netlist.parameters.items())),
        ("process", netlist.process or ""),
        ("findings", "; ".join(map(str, netlist.findings)) or "none"),
    ]
    return (
        heading(netlist.title, "netlist")
        + table(("", ""), [fact for fact in facts if fact[1]])
        + folded("text", table(("",), [(line,) for line in netlist.text.splitlines()]))
    )
