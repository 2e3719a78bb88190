"""ngspice through PySpice: one shared library, loaded once for the process.

ngspice keeps global state and may end its process, so a session lives in a worker process
(`cosim.engine.worker`). PySpice's class supplies the library's interface; this one replaces what
PySpice 1.5 does too slowly (a dictionary of Python objects for every accepted point) or too
strictly (any line on stderr fails the command).
"""

import logging
import math
import re
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np
from PySpice.Spice.NgSpice.Shared import NgSpiceCircuitError, NgSpiceShared, ffi

from cosim.engine.analyses import Analysis, OperatingPoint, SimulatorOptions
from cosim.engine.audit import (
    Asked,
    audit_answer,
    audit_messages,
    kirchhoff_residuals,
    read_asked,
)
from cosim.engine.library import NgspiceLibrary, find_library, probe
from cosim.errors import ConfigurationError, ConvergenceError, EngineError, NetlistError
from cosim.netlist.parse import parse

LAST_LINES = 30

CONFIRMING_RELTOL, CONFIRMING_VOLT, CONFIRMING_AMPERE = 1e-6, 1e-9, 1e-14
CONFIRMING_GMIN = 1e-15
DEFAULTS = SimulatorOptions()
END_ULPS = 8
"""ngspice takes a time within 100 units in the last place for the end."""

MOVED_PART, MOVED_VOLT = 2e-3, 1e-5
"""How far a confirmed operating point may move, twice what the default reltol allows."""

_TIME_STEP = re.compile(
    r"Timestep too small.*?time\s*=\s*(?P<time>[\d.eE+-]+).*?timestep\s*=\s*(?P<step>[\d.eE+-]+)"
    r"(?:.*?trouble with\s+(?P<where>.*))?",
    re.IGNORECASE,
)
_NO_SOLUTION = re.compile(
    r"singular matrix|no convergence|failed to converge|iteration limit|"
    r"source stepping failed|gmin stepping failed|operating point.*failed",
    re.IGNORECASE,
)
_FAILURE = re.compile(r"^\s*(fatal\s+)?error\b|simulation\(s\) aborted|^\s*run simulation", re.I)


class Observer(Protocol):
    """What a transient analysis reports to, point by point."""

    def begin(self, names: Sequence[str]) -> Sequence[int]:
        """A run starts with these vectors, lower case; returns the indices of those to report."""

    def source_value(self, name: str) -> Callable[[float], float]:
        """The function of time that gives the value of external source `name`."""

    def accept(self, time_second: float, values: np.ndarray) -> None:
        """A point was accepted; `values` [vectors to report] is reused for the next."""

    @property
    def longest_step_second(self) -> float | None:
        """Limit of the next time step; None throughout a run leaves steps to ngspice."""


class NgspiceSession(NgSpiceShared):
    """The process's only ngspice.

    Use `NgspiceSession.start()`; a second call returns the same session.
    """

    _current: ClassVar["NgspiceSession | None"] = None

    @classmethod
    def start(cls, library: NgspiceLibrary | None = None) -> "NgspiceSession":
        """Load libngspice.

        Args:
            library: the one to load; by default the one `find_library` finds.

        Raises:
            LibraryNotFoundError: there is none.
        """
        if cls._current is None:
            library = library or find_library()
            library.prepare_process()
            logging.getLogger("PySpice").setLevel(logging.CRITICAL)
            cls.LIBRARY_PATH = str(library.library_path)
            cls._current = cls(send_data=True)
            # Since version 44 ngspice reads /proc/meminfo at every accepted point, which costs
            # three times as much as a small circuit's step.
            cls._current.command("set no_mem_check")
            cls._current.command("set num_threads=1")
        return cls._current

    def __init__(self, send_data: bool) -> None:
        self.last_lines: deque[str] = deque(maxlen=LAST_LINES)
        self._observer: Observer | None = None
        self._failure: BaseException | None = None
        self._sources: dict[int, Callable[[float], float]] = {}
        self._vectors: list[int] = []
        self._time_pointer: Any = None
        self._pointers: list[tuple[int, Any]] = []
        self._values = np.empty(0)
        self.accepted_points = 0
        self.newton_calls = 0
        self.last_time_second = 0.0
        self._synchronised = False
        self._stop_second, self._start_second = math.inf, 0.0
        self._streamed = False
        self._loaded_netlist: str | None = None
        self._asked = Asked()
        super().__init__(send_data=send_data)

    # -- commands ---------------------------------------------------------------------------

    def exec_command(self, command: str, join_lines: bool = True) -> Any:
        """Run a command; unlike PySpice's, a note on stderr does not fail it."""
        self.clear_output()
        if self._ngspice_shared.ngSpice_Command(command.encode("utf8")):
            raise EngineError(f"ngspice refused the command '{command}': {self._said()}")
        return self.stdout if join_lines else list(self._stdout)

    def command(self, command: str) -> str:
        """Run a command, raise what ngspice reports as an error, return its output.

        Raises:
            ConvergenceError: no operating point, or a time step that became too small.
            EngineError: any other error line.
        """
        output: str = self.exec_command(command)
        self._raise_reported(command)
        return output

    def send_char(self, message: str, ngspice_id: int) -> int:
        """Keep ngspice's last lines for reports."""
        self.last_lines.append(message.partition(" ")[2])
        return 0

    @property
    def _lines(self) -> list[str]:
        return [*self._stderr, *self._stdout]

    def _said(self) -> str:
        return " | ".join(line.strip() for line in self.last_lines if line.strip())

    def _raise_reported(self, command: str) -> None:
        lines = self._lines
        for line in lines:
            if match := _TIME_STEP.search(line):
                where = (match["where"] or "not named by ngspice").strip()
                time_second = self._start_second + float(match["time"])
                raise ConvergenceError(
                    f"ngspice's time step became too small at t = {time_second:.6g} s "
                    f"(step {float(match['step']):.3g} s): trouble with {where}. Points before "
                    "that time are kept. Look at what drives that node then; a smaller "
                    "`step_second`, a looser `reltol` or a small capacitor at the node may help.",
                    last_time_second=self.last_time_second,
                )
        if not any(_FAILURE.search(line) for line in lines):
            return
        if any(_NO_SOLUTION.search(line) for line in lines):
            raise ConvergenceError(
                f"ngspice found no solution in '{command}' after t = {self.last_time_second:.6g} "
                f"s: {self._said()}. Look at the nodes named there; check the netlist with "
                "`cosim doctor` and initial conditions in the run file.",
                last_time_second=self.last_time_second,
            )
        raise EngineError(
            f"ngspice failed in '{command}' after t = {self.last_time_second:.6g} s: "
            f"{self._said()}. The lines are ngspice's own; the netlist is in the trace.",
            last_time_second=self.last_time_second,
        )

    # -- circuits and analyses --------------------------------------------------------------

    def load(self, netlist: str) -> None:
        """Load a netlist; one that is loaded already stays.

        Raises:
            NetlistError: ngspice does not accept it, or would leave out a part of it.
        """
        if netlist == self._loaded_netlist:
            return
        asked = read_asked(netlist)
        if self._loaded_netlist is not None:
            self.command("remcirc")
            self._loaded_netlist = None
        self.last_lines.clear()
        try:
            self.load_circuit(netlist)
            refused = any(_FAILURE.search(line) for line in self._stderr)
        except (NgSpiceCircuitError, NameError):
            refused = True
        if refused:
            raise NetlistError(
                f"ngspice does not accept the netlist: {self._said()}. Correct the line named."
            )
        self._loaded_netlist, self._asked = netlist, asked
        audit_messages(self._lines, self._asked)

    def load_model(self, path: Path) -> None:
        """Load a compiled Verilog-A model (.osdi), for all netlists loaded from now on.

        Raises:
            EngineError: ngspice does not take it; one built without OSDI takes none.
        """
        self.last_lines.clear()
        with tempfile.TemporaryDirectory() as folder:
            # ngspice splits its command at spaces and semicolons, whatever the quotes.
            link = Path(folder) / "model.osdi"
            link.symlink_to(path.resolve())
            self.exec_command(f"osdi {link}")
        if self.last_lines:
            raise EngineError(
                f"ngspice does not load the compiled Verilog-A model {path}: {self._said()}. "
                "Compile it again; `cosim doctor` shows whether this ngspice takes such models."
            )

    def set_source(self, name: str, volt: float) -> None:
        """Set the DC value of an independent source of the loaded circuit."""
        self.command(f"alter {name} dc = {volt:.17g}")

    def transient(self, observer: Observer, stop_second: float, start_second: float = 0.0) -> None:
        """Run the loaded netlist's `.tran` and report each accepted point to `observer`.

        ngspice keeps none of the points (manual, `save none`), so that memory stays as it is
        however long the run; from then on this process cannot `analyse`.

        Args:
            stop_second: of the netlist's `.tran`.
            start_second: what ngspice's 0 s is for the observer and in errors.

        Raises:
            ConvergenceError, EngineError: ngspice gave up, or stopped before `stop_second`.
            Exception: whatever the observer raised.
        """
        self.command("save none")
        self._streamed = True
        self._observer, self._failure = observer, None
        self._stop_second, self._start_second = stop_second, start_second
        if observer.longest_step_second is not None:
            self._synchronise()
        self._sources = {}
        self.accepted_points = self.newton_calls = 0
        self.last_time_second = start_second
        try:
            self.exec_command("run")
            if self._failure is not None:
                raise self._failure
            self._raise_reported("run")
            audit_messages(self._lines, self._asked)
        finally:
            self._observer = None
            self.exec_command("destroy all")
        if not math.isclose(self.last_time_second, start_second + stop_second, rel_tol=1e-9):
            raise EngineError(
                f"ngspice ended the transient at t = {self.last_time_second:.9g} s without an "
                f"error, but {start_second + stop_second:.9g} s were asked for: {self._said()}",
                last_time_second=self.last_time_second,
            )

    def analyse(self, netlist: str) -> dict[str, np.ndarray]:
        """Run a netlist's own analysis line; every vector that it gives, by name.

        Raises:
            NetlistError, ConvergenceError, EngineError: also where ngspice sees no error, but the
                answer cannot be what was asked for (see `cosim.engine.audit`).
        """
        if self._streamed:
            raise EngineError(
                "This process has run a transient of which ngspice keeps no points; from then on "
                "it keeps none of any analysis. Analyse in another process."
            )
        self.load(netlist)
        if self._asked.external_sources:
            raise NetlistError(
                f"Nothing drives the external sources {self._asked.external_sources}. Couple a "
                "block to them (the README shows how), or give them values."
            )
        try:
            self.command("run")
            audit_messages(self._lines, self._asked)
            vectors: dict[str, np.ndarray] = {}
            for name in self.plot_names:
                if name != "const":  # `.noise` gives two plots: densities, and totals
                    plot = self.plot(None, name)
                    vectors |= {vector: np.array(values._data) for vector, values in plot.items()}
        finally:
            self.exec_command("destroy all")
        audit_answer(self._asked, vectors)
        return vectors

    def solve(
        self, circuit: str, analysis: Analysis, options: SimulatorOptions = DEFAULTS
    ) -> dict[str, np.ndarray]:
        """Run an analysis of a circuit; every vector that it gives, by name.

        Args:
            circuit: a netlist without analysis and `.end` lines.

        Raises:
            NetlistError, ConvergenceError, EngineError.
            ConfigurationError: KLU is asked for, and this ngspice has none.
        """
        if options.klu and not probe(find_library()).klu:
            raise ConfigurationError(
                "The KLU solver is asked for, but this ngspice was built without it; `cosim "
                "doctor` shows which ones have it. Leave `klu` out."
            )
        return self.analyse(f"{circuit.rstrip()}\n{options.lines}{analysis.line}\n.end\n")

    def operating_point(
        self, circuit: str, options: SimulatorOptions = DEFAULTS, path: Path | None = None
    ) -> dict[str, np.ndarray]:
        """The operating point, confirmed: currents add up to 0 at every node, and it stays where
        it is with a hundredth of the tolerance and without ngspice's own conductances.

        Args:
            circuit: a netlist without analysis and `.end` lines.
            path: of the file it came from. Without one a netlist that includes others is not all
                known here, and its currents are not added up.

        Raises:
            ConvergenceError: it is not confirmed; the error names the node.
            NetlistError, EngineError: as `solve`.
        """
        circuit = circuit.rstrip()
        found = self.solve(circuit, OperatingPoint(), options)

        def current(name: str) -> float | None:
            return self._device_value(name) if name[0] == "@" else float(found[name][0])

        parsed = parse(circuit, path)
        worst = max(
            [] if parsed.problems else kirchhoff_residuals(parsed, current),
            key=lambda residual: abs(residual.ampere) if residual.excessive else 0.0,
            default=None,
        )
        if worst is not None and worst.excessive:
            raise ConvergenceError(
                f"ngspice gave an operating point at which the currents into node '{worst.node}' "
                f"add up to {worst.ampere:.3g} A (the largest is {worst.largest_ampere:.3g} A): "
                "it is none. Look at what holds that node; `reltol` may be too loose."
            )
        tight = replace(
            options,
            reltol=CONFIRMING_RELTOL, vntol_volt=CONFIRMING_VOLT, abstol_ampere=CONFIRMING_AMPERE,
            gmin_siemens=CONFIRMING_GMIN,
        )  # fmt: skip
        again = self.solve(f"{circuit}\n.options rshunt=1e18", OperatingPoint(), tight)
        for name, values in again.items():
            moved = abs(float(found[name][0]) - float(values[0])) if name in found else 0.0
            if "#" not in name and moved > MOVED_PART * abs(float(values[0])) + MOVED_VOLT:
                raise ConvergenceError(
                    f"The operating point is not confirmed: node '{name}' has "
                    f"{float(found[name][0]):.6g} V, and {float(values[0]):.6g} V with a tighter "
                    "tolerance and without gmin and rshunt. Tighten `reltol`, and look for "
                    "what holds the node."
                )
        return found

    def _device_value(self, name: str) -> float | None:
        """A device's own value in the circuit that was solved last, such as `@r1[i]`."""
        vector = self._ngspice_shared.ngGet_Vec_Info(name.encode())
        if vector == ffi.NULL or vector.v_length < 1 or vector.v_realdata == ffi.NULL:
            return None
        return float(vector.v_realdata[0])

    def _synchronise(self) -> None:
        """Have ngspice ask before each step; PySpice registers no such callback."""
        if self._synchronised:
            return
        signature = "int (double, double *, double, int, int, int, void *)"
        self._limit_step_c = ffi.callback(signature, self._limit_step)
        self._ngspice_shared.ngSpice_Init_Sync(
            self._get_vsrc_data_c,
            self._get_isrc_data_c,
            self._limit_step_c,
            self._ngspice_id,
            self._self_c,
        )
        # For good: ngspice 46 dies of a NULL that takes it back.
        self._synchronised = True

    # -- callbacks from ngspice: an exception must not cross them ---------------------------

    def _fail(self, error: BaseException) -> None:
        if self._failure is None:
            self._failure = error

    def send_init_data(self, data: Any, ngspice_id: int) -> int:
        """A run starts: note which vectors come, and where ngspice keeps their values."""
        self._time_pointer = None
        if self._observer is not None:
            try:
                names = [
                    ffi.string(data.vecs[index].vecname).decode().lower()
                    for index in range(data.veccount)
                ]
                self._vectors = [names.index("time"), *self._observer.begin(names)]
                self._values = np.empty(len(self._vectors) - 1)
            except Exception as error:
                self._fail(error)
        return 0

    @staticmethod
    def _send_data(data: Any, count: int, ngspice_id: int, user_data: Any) -> int:
        session = NgspiceSession._current
        if session is not None and session._observer is not None and session._failure is None:
            try:
                session._accept(data)
            except BaseException as error:  # kept, and raised again outside ngspice
                session._fail(error)
        return 0

    def _accept(self, data: Any) -> None:
        if self._time_pointer is None:
            # ngspice keeps these structures where they are throughout a run.
            self._time_pointer, *pointers = (data.vecsa[index] for index in self._vectors)
            self._pointers = list(enumerate(pointers))
        values = self._values
        for index, pointer in self._pointers:
            values[index] = pointer.creal
        self.last_time_second = self._start_second + self._time_pointer.creal
        self.accepted_points += 1
        assert self._observer is not None
        self._observer.accept(self.last_time_second, values)

    @staticmethod
    def _limit_step(
        time_second: float,
        step: Any,
        before_second: float,
        redo: int,
        ngspice_id: int,
        location: int,
        user_data: Any,
    ) -> int:
        """Called before a step (location 0) and after its convergence (1); `step` may be lowered,
        but not that of a step that ngspice redoes: it has lowered it already.
        """
        session = NgspiceSession._current
        if session is not None and session._observer is not None and location == 0 and not redo:
            try:
                longest = session._observer.longest_step_second
                if longest is not None:
                    _limit(step, longest, time_second, session._stop_second)
            except BaseException as error:
                session._fail(error)
        return 0

    @staticmethod
    def _get_vsrc_data(
        voltage: Any, time_second: float, node: Any, ngspice_id: int, user_data: Any
    ) -> int:
        session = NgspiceSession._current
        if session is not None and session._observer is not None:
            try:
                session.newton_calls += 1
                source = session._sources.get(node)
                if source is None:
                    name = ffi.string(node).decode().lower()
                    source = session._sources[node] = session._observer.source_value(name)
                voltage[0] = source(session._start_second + time_second)
            except BaseException as error:
                session._fail(error)
                voltage[0] = 0.0
        return 0


def _limit(step: Any, longest_second: float, time_second: float, stop_second: float) -> None:
    """Lower `step`, a pointer to the step that ngspice is about to take."""
    remaining_second = stop_second - time_second
    if step[0] >= remaining_second / 4 and remaining_second <= 3 * longest_second:
        # In equal parts. Asked for steps, ngspice halves the way to the end for ever; and a step
        # that goes beyond the end by rounding is cut so that less than its shortest is left.
        parts = math.ceil(remaining_second / longest_second)
        step[0] = remaining_second / parts - (parts == 1) * END_ULPS * math.ulp(stop_second)
    elif step[0] > 1.5 * longest_second:
        step[0] = longest_second
    elif step[0] > longest_second:
        step[0] /= 2  # the remainder before a breakpoint could be too short


def saved(nodes: Iterable[str]) -> str:
    """The `.save` line for nodes and source currents (`i(vdd)`)."""
    return ".save " + " ".join(node if "(" in node else f"v({node})" for node in nodes)
