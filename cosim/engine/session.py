"""The process's only ngspice, with every use of it: analyses whose answers are audited.

ngspice keeps global state and may end its process, so a session lives in a worker process
(`cosim.engine.worker`, `cosim.engine.isolated`).
"""

import logging
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
from PySpice.Spice.NgSpice.Shared import ffi

from cosim.engine.analyses import Analysis, OperatingPoint, SimulatorOptions
from cosim.engine.audit import audit_answer, audit_measures, kirchhoff_residuals
from cosim.engine.library import NgspiceLibrary, find_library, probe
from cosim.engine.start import Found, way_of
from cosim.engine.streaming import StreamingSession
from cosim.errors import ConfigurationError, ConvergenceError, EngineError, NetlistError
from cosim.netlist.parse import parse

CONFIRMING_RELTOL, CONFIRMING_VOLT, CONFIRMING_AMPERE = 1e-6, 1e-9, 1e-14
CONFIRMING_GMIN = 1e-15
DEFAULTS = SimulatorOptions()

MOVED_PART, MOVED_VOLT = 2e-3, 1e-5
"""How far a confirmed operating point may move, twice what the default reltol allows."""

NOTED_PART, NOTED_VOLT = 0.01, 1e-8
"""From where on a move that the tolerances explain is told."""


class NgspiceSession(StreamingSession):
    """The process's only ngspice.

    Use `NgspiceSession.start()`; a second call returns the same session.

    Attributes:
        found: how ngspice found the operating point of the last analysis.
        warnings: of the last analysis, for the user.
        point_warnings: of the last confirmed operating point.
        measures: of the last analysis: `.meas` results by name.
    """

    warnings: tuple[str, ...] = ()
    point_warnings: tuple[str, ...] = ()
    measures: dict[str, float]

    @classmethod
    def start(cls, library: NgspiceLibrary | None = None) -> "NgspiceSession":
        """Load libngspice.

        Args:
            library: the one to load; by default the one `find_library` finds.

        Raises:
            LibraryNotFoundError: there is none.
        """
        session = StreamingSession._current
        if session is None:
            library = library or find_library()
            logging.getLogger("PySpice").setLevel(logging.CRITICAL)
            cls.LIBRARY_PATH = str(library.library_path)
            with library.loading():
                session = StreamingSession._current = cls(send_data=True)
            # Since version 44 ngspice reads /proc/meminfo at every accepted point, which costs
            # three times as much as a small circuit's step.
            session.command("set no_mem_check")
            session.command("set num_threads=1")
        assert isinstance(session, NgspiceSession)
        return session

    def analyse(self, netlist: str) -> dict[str, np.ndarray]:
        """Run a netlist's own analysis line; every vector that it gives, by name.

        Raises:
            NetlistError, ConvergenceError, EngineError: also where ngspice sees no error, but the
                answer cannot be what was asked for (see `cosim.engine.audit`).
        """
        vectors = self.run_unaudited(netlist)
        audit_answer(self._asked, vectors)
        audit_measures(self._asked, self.measures)
        return vectors

    def run_unaudited(self, netlist: str, *commands: str) -> dict[str, np.ndarray]:
        """As `analyse`, but the answer may be anything, for whoever looks for what diverges.

        Args:
            commands: instead of the netlist's own analysis.
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
                "block to them (`cosim.Block`), or give them values."
            )
        iterations = self.point_iterations
        try:
            for command in commands or ("run",):
                self.command(command)
                said, way = self._read_messages(), way_of(self._printed)
            self.found = Found(way, self.point_iterations - iterations)
            vectors: dict[str, np.ndarray] = {}
            for name in self.plot_names:
                if name != "const":  # `.noise` gives two plots: densities, and totals
                    plot = self.plot(None, name)
                    vectors |= {_plain(vector): np.array(of._data) for vector, of in plot.items()}
        finally:
            self.exec_command("destroy all")
        self.warnings = (*self._loaded_said.warnings, *said.warnings)
        self.measures = dict(said.measures)
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
        self.point_warnings = ()
        for name, values in again.items():
            moved = abs(float(found[name][0]) - float(values[0])) if name in found else 0.0
            if "#" not in name and moved > max(NOTED_PART * abs(float(values[0])), NOTED_VOLT):
                self.point_warnings = (
                    f"Node '{name}' has {float(found[name][0]):.4g} V, but {float(values[0]):.4g} "
                    "V with tighter tolerances: it is as small as `vntol` (1 uV unless given). If "
                    "it matters, give `.options vntol=1n`.",
                )
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


def _plain(vector: str) -> str:
    """A vector's name; ngspice writes `V(2)` for a node that is a number, and its name else."""
    return vector[2:-1] if vector[:2].lower() == "v(" else vector


def saved(nodes: Iterable[str]) -> str:
    """The `.save` line for nodes and source currents (`i(vdd)`)."""
    return ".save " + " ".join(node if "(" in node else f"v({node})" for node in nodes)
