"""Every error a user can meet: one paragraph that says what, where, why and what to do.

The command line prints `str(error)` and exits with `error.exit_code`; a traceback appears
only with `--debug`.
"""

import difflib
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A sentence for an error, after a blank, that names the nearest known name; '' if none is."""
    near = difflib.get_close_matches(name, known, 1)
    return f" Did you mean '{near[0]}'?" if near else ""


class CosimError(Exception):
    """Base of all errors meant for the user's eyes."""

    exit_code = 1


class ConfigurationError(CosimError):
    """A run file, a command-line option or a path that cannot be used."""

    exit_code = 2


class NetlistError(CosimError):
    """A circuit that cannot be built or written as a netlist."""

    exit_code = 3


class ModelError(CosimError):
    """A score model file that is missing, malformed or of the wrong shape."""

    exit_code = 9


class TraceError(CosimError):
    """A trace file that cannot be written, opened or trusted."""

    exit_code = 5


class MeasurementError(TraceError):
    """What is asked of a signal does not happen in it: a level not crossed, a step not settled."""


class EngineError(CosimError):
    """A simulation that did not finish; `last_time_second` is the last accepted time."""

    exit_code = 6

    def __init__(self, message: str, *, last_time_second: float | None = None) -> None:
        super().__init__(message)
        self.last_time_second = last_time_second


class LimitError(CosimError):
    """A run that ended, beyond what its `[limits]` allow.

    Attributes:
        lines: its report, a line each.
        facts: the same as plain data.
    """

    exit_code = 8

    def __init__(
        self, message: str, lines: Sequence[str] = (), facts: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.lines, self.facts = tuple(lines), dict(facts or {})


class LibraryNotFoundError(EngineError):
    """No usable libngspice on this machine."""


class ConvergenceError(EngineError):
    """ngspice found no operating point, or its time step became too small."""


class WorkerCrashError(EngineError):
    """The ngspice process died."""


class WorkerTimeoutError(EngineError):
    """The ngspice process accepted no point for longer than the limit."""


class WorkerMemoryError(EngineError):
    """The ngspice process took more memory than the limit."""


class BlockError(EngineError):
    """A lockstep block (a score model, say) raised, or returned NaN or a wrong shape."""


class CouplingError(EngineError):
    """Blocks and circuit that do not come together: a loop that diverges or switches without end,
    no operating point, or a coupling error over its limit.

    Attributes:
        block: name of the block.
        loop_gain: of the loop through it, estimated from its last steps; NaN where it was not.
    """

    def __init__(
        self,
        message: str,
        *,
        block: str = "",
        loop_gain: float = math.nan,
        last_time_second: float | None = None,
    ) -> None:
        super().__init__(message, last_time_second=last_time_second)
        self.block, self.loop_gain = block, loop_gain


class ExchangeError(EngineError):
    """A process that is to serve a block, or to be served, did not come, went away or wrote what
    cannot be used.
    """


class ComparisonError(CosimError):
    """A run that differs from its golden trace."""

    exit_code = 4


class UndecidedError(ComparisonError):
    """A run of which it cannot be told whether it is as its golden trace."""

    exit_code = 7
