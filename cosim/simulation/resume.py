"""Resume a simulation from its last recorded point.

ngspice's own state is lost with its process, and a trace does not hold every node. So the circuit
sets the recorded state as it sets any initial condition, in a precharge of its own, during which
everything that depends on time stands still where the recording ended; then it goes on from there.
"""

import re
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from cosim.engine.worker import Simulation
from cosim.errors import EngineError
from cosim.netlist.waveform import pair_lines

_PIECEWISE = re.compile(r"^(V\S+)(\s[^\n]*?)PWL\(([^)]*)\)", re.IGNORECASE | re.MULTILINE)
_BEHAVIOURAL = re.compile(r"^(B\S+).*\btime\b.*$", re.IGNORECASE | re.MULTILINE)
_TRANSIENT = re.compile(r"^\.tran\s+(\S+)\s+\S+\s+0\s+(\S+)\s*$", re.IGNORECASE | re.MULTILINE)
_OTHER = re.compile(
    r"^[VI]\S*\s.*\b(?:sin|pulse|exp|sffm|am|trnoise|trrandom)\s*\(", re.IGNORECASE | re.MULTILINE
)


def resumed(
    simulation: Simulation,
    at_second: float,
    precharge_second: float,
    sources: Mapping[str, float],
    switches: frozenset[str],
) -> Simulation:
    """The rest of a simulation, which records from `at_second` on.

    Args:
        at_second: the last recorded time.
        precharge_second: from the beginning until `switches` let the circuit run.
        sources: DC values (volts) of the sources that set the recorded state.
        switches: names of the sources that end the precharge, lower case.

    Raises:
        EngineError: a source depends on time in a way that cannot be shifted.
    """
    if other := _OTHER.search(simulation.netlist):
        raise EngineError(
            f"A run cannot be resumed with the source '{other[0].split()[0]}': only piecewise "
            "linear ones can be shifted in time. Run it again from the start."
        )
    offset = at_second - precharge_second

    def piecewise(match: re.Match[str]) -> str:
        if match[1].lower() in switches:
            return match[0]
        return f"{match[1]}{match[2]}PWL({_shifted(match[3], at_second, offset)})"

    def behavioural(match: re.Match[str]) -> str:
        if match[1].lower() in switches:
            return match[0]
        now = f"({at_second!r}+max(time-{precharge_second!r},0))"
        return re.sub(r"\btime\b", now, match[0])

    netlist = _PIECEWISE.sub(piecewise, simulation.netlist)
    netlist = _BEHAVIOURAL.sub(behavioural, netlist)
    stop = simulation.stop_second - offset
    netlist, count = _TRANSIENT.subn(rf".tran \1 {stop!r} 0 \2", netlist)
    assert count == 1
    return replace(
        simulation,
        netlist=netlist,
        start_second=offset,
        record_second=at_second,
        sources=dict(sources),
    )


def _shifted(pairs: str, at_second: float, offset_second: float) -> str:
    """A PWL that stands still until `at_second` - `offset_second`, and goes on from there."""
    numbers = np.array(pairs.replace("\n+", " ").split(), dtype=float)
    time, volt = numbers[::2], numbers[1::2]
    later, value = time > at_second, np.interp(at_second, time, volt)
    time_second = np.concatenate([[0.0, at_second - offset_second], time[later] - offset_second])
    return "\n+ ".join(pair_lines(time_second, np.concatenate([[value, value], volt[later]])))
