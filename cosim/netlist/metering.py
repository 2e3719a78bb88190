"""Supply currents by block: a zero-volt source between the supply and all blocks of a kind.

SPICE's own ammeter is a voltage source of 0 V (ngspice manual, section 4.1): it changes no voltage.
Source lines of subcircuits are named as ngspice names them: `v.xscore_network.vmeter_relu#branch`.
"""

import re

SUPPLY = "vdd"
_KIND = re.compile(r"(_\d+)+$")


def metered(netlist: str, inside: frozenset[str] = frozenset()) -> tuple[str, dict[str, str]]:
    """A netlist with meters, and the vector of each kind's current in A.

    Args:
        netlist: generated; its blocks are X lines that take the supply from the node `vdd`.
        inside: instances (lower case, such as `xscore_network`) whose own blocks are told apart
            too, instead of being one; each is of a subcircuit named as the instance.

    Returns:
        The netlist, and vector names by kind: instance names without their numbers.
    """
    lines: list[str] = []
    vectors: dict[tuple[str, str], str] = {}
    within = [""]  # definitions may be nested
    places: dict[str, int] = {}
    for line in netlist.splitlines():
        words = line.split()
        keyword = words[0].lower() if words else ""
        lines.append(line)
        if keyword == ".subckt":
            within.append(words[1].lower())
        elif keyword == ".ends":
            within.pop()
        subcircuit = within[-1]
        if keyword == ".subckt" or len(lines) == 1:
            places[subcircuit] = len(lines)
        told_apart = not subcircuit or f"x{subcircuit}" in inside
        if not (told_apart and keyword.startswith("x") and SUPPLY in words) or keyword in inside:
            continue
        kind = _KIND.sub("", keyword[1:])
        lines[-1] = " ".join(f"{SUPPLY}_{kind}" if word == SUPPLY else word for word in words)
        path = f"v.x{subcircuit}." if subcircuit else ""
        vectors.setdefault((subcircuit, kind), f"{path}vmeter_{kind}#branch")
    for place, at in sorted(places.items(), key=lambda item: -item[1]):
        meters = [
            f"Vmeter_{kind} {SUPPLY} {SUPPLY}_{kind} 0" for where, kind in vectors if where == place
        ]
        lines[at:at] = meters
    return "\n".join(lines) + "\n", {kind: vector for (_, kind), vector in vectors.items()}
