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
    )
    from cosim.process.process import Process, find_process
    from cosim.trace.compare import Comparison, Tolerance, Tolerances, Verdict, compare
    from cosim.trace.reader import Trace

_ROOMS = {
    "cosim.errors": (
        "BlockError", "ComparisonError", "ConfigurationError", "ConvergenceError", "CosimError",
        "EngineError", "MeasurementError", "NetlistError", "TraceError",
    ),
    "cosim.process.process": ("Process", "find_process"),
    "cosim.trace.compare": ("Comparison", "Tolerance", "Tolerances", "Verdict", "compare"),
    "cosim.trace.reader": ("Trace",),
}  # fmt: skip

_ROOM_OF = {name: room for room, names in _ROOMS.items() for name in names}

__all__ = [
    "BlockError",
    "Comparison",
    "ComparisonError",
    "ConfigurationError",
    "ConvergenceError",
    "CosimError",
    "EngineError",
    "MeasurementError",
    "NetlistError",
    "Process",
    "Tolerance",
    "Tolerances",
    "Trace",
    "TraceError",
    "Verdict",
    "compare",
    "find_process",
]


def __getattr__(name: str) -> Any:
    if name not in _ROOM_OF:
        raise AttributeError(f"module 'cosim' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_ROOM_OF[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
