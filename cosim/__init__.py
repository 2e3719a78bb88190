"""Co-simulation of analog circuits: ngspice in lockstep with torch.

What is named here is the framework's front door; the rest may change without notice. A name is
imported when it is first used, so that `import cosim` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cosim.errors import (
        BlockError,
        ComparisonError,
        ConfigurationError,
        ConvergenceError,
        CosimError,
        EngineError,
        MeasurementError,
        NetlistError,
        TraceError,
        UndecidedError,
    )
    from cosim.lockstep.block import Block
    from cosim.netlist.circuit import Netlist
    from cosim.process.process import Process, find_process
    from cosim.simulation.analyses import ac, dc, noise, op
    from cosim.simulation.checking import check
    from cosim.simulation.simulate import simulate
    from cosim.simulation.sweep import Sweep, sweep
    from cosim.trace.compare import Comparison, Tolerance, Tolerances, Verdict, compare
    from cosim.trace.reader import Trace

_ROOMS = {
    "cosim.errors": (
        "BlockError", "ComparisonError", "ConfigurationError", "ConvergenceError", "CosimError",
        "EngineError", "MeasurementError", "NetlistError", "TraceError", "UndecidedError",
    ),
    "cosim.lockstep.block": ("Block",),
    "cosim.netlist.circuit": ("Netlist",),
    "cosim.process.process": ("Process", "find_process"),
    "cosim.simulation.analyses": ("ac", "dc", "noise", "op"),
    "cosim.simulation.checking": ("check",),
    "cosim.simulation.simulate": ("simulate",),
    "cosim.simulation.sweep": ("Sweep", "sweep"),
    "cosim.trace.compare": ("Comparison", "Tolerance", "Tolerances", "Verdict", "compare"),
    "cosim.trace.reader": ("Trace",),
}  # fmt: skip

_ROOM_OF = {name: room for room, names in _ROOMS.items() for name in names}

__all__ = [
    "Block",
    "BlockError",
    "Comparison",
    "ComparisonError",
    "ConfigurationError",
    "ConvergenceError",
    "CosimError",
    "EngineError",
    "MeasurementError",
    "Netlist",
    "NetlistError",
    "Process",
    "Sweep",
    "Tolerance",
    "Tolerances",
    "Trace",
    "TraceError",
    "UndecidedError",
    "Verdict",
    "ac",
    "check",
    "compare",
    "dc",
    "find_process",
    "noise",
    "op",
    "simulate",
    "sweep",
]


def __getattr__(name: str) -> Any:
    if name not in _ROOM_OF:
        raise AttributeError(f"module 'cosim' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_ROOM_OF[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
