"""What is recorded of a netlist: nodes and currents, by name or pattern."""

import difflib
import fnmatch
from collections.abc import Sequence

from cosim.errors import ConfigurationError
from cosim.netlist.circuit import Netlist
from cosim.netlist.netlist import Signal


def recorded_signals(netlist: Netlist, record: Sequence[str] | None) -> list[Signal]:
    """Signals in the order asked for, each once.

    Args:
        record: nodes ('out', 'x1.tail') and currents of voltage sources and inductors ('i(vdd)'),
            or patterns of either with * and ?; None for all of the top level.

    Raises:
        ConfigurationError: one fits nothing.
    """
    nodes, currents = netlist.nodes, netlist.currents
    if record is None:
        chosen = [name for name in (*nodes, *currents) if "." not in name]
    else:
        chosen = []
        for asked in [record] if isinstance(record, str) else record:
            pool = currents if asked.lower().startswith("i(") else nodes
            fitting = fnmatch.filter(pool, asked.lower())
            if not fitting:
                raise ConfigurationError(_nothing(asked, list(pool)))
            chosen += fitting
    return [_signal(name, currents) for name in dict.fromkeys(chosen)]


def _signal(name: str, currents: dict[str, str]) -> Signal:
    if name in currents:
        return Signal(name, currents[name], "A", f"current into {name[2:-1]}")
    return Signal(name, name, "V", "")


def _nothing(asked: str, pool: list[str]) -> str:
    near = difflib.get_close_matches(asked.lower(), pool, 3, 0.3) or pool[:6]
    return (
        f"Nothing in the netlist fits '{asked}'. Near it: {', '.join(near) or 'none'}. Give nodes, "
        "'i(NAME)' for the current of a voltage source or an inductor (a source of 0 V measures "
        "any other), or patterns such as 'x1.*'."
    )
