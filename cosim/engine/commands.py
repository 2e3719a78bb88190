"""ngspice through PySpice: the process's one shared library, its commands and circuits.

PySpice's class supplies the library's interface; this one replaces what PySpice 1.5 does too
strictly: a line on stderr fails any command, and the word error in a title the circuit.
"""

import re
import tempfile
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import Any

from PySpice.Spice.NgSpice.Shared import NgSpiceCircuitError, NgSpiceShared

from cosim.engine.audit import Asked, read_asked
from cosim.engine.messages import Said, read_messages
from cosim.errors import ConvergenceError, EngineError, NetlistError
from cosim.netlist.writing import without_comments

LAST_LINES = 30

_TIME_STEP = re.compile(
    r"Timestep too small.*?time\s*=\s*(?P<time>[\d.eE+-]+).*?timestep\s*=\s*(?P<step>[\d.eE+-]+)"
    r"(?:.*?trouble with\s+(?P<where>.*))?",
    re.IGNORECASE,
)
_NO_SOLUTION = re.compile(
    r"singular matrix|no convergence|without convergence|failed to converge|iteration limit|"
    r"source stepping failed|gmin stepping failed|operating point.*failed",
    re.IGNORECASE,
)
_FAILURE = re.compile(
    r"^\s*(fatal\s+)?error\b|simulation(\(s\))? aborted|^\s*run simulation(?! inter)|"
    r"^\s*doAnalyses:(?! *pause)",
    re.I,
)
_ENDED = re.compile(r"cannot recover and awaits to be (reset|detached)")


class CommandSession(NgSpiceShared):
    """What is common to all uses of the library: commands, circuits, and what it prints."""

    def __init__(self, send_data: bool) -> None:
        self.last_lines: deque[str] = deque(maxlen=LAST_LINES)
        self.last_time_second = 0.0
        self._printed: list[str] = []
        self._start_second = 0.0
        self._loaded_netlist: str | None = None
        self._asked = Asked()
        self._loaded_said = Said()
        self._ended_because = ""
        super().__init__(send_data=send_data)

    @property
    def point_iterations(self) -> int:
        """Iterations that all operating points of the loaded circuit took so far."""
        return self._iterations("totiter") - self.transient_iterations

    @property
    def transient_iterations(self) -> int:
        """Iterations that all steps of transients of the loaded circuit took so far."""
        return self._iterations("traniter")

    def _iterations(self, which: str) -> int:
        return int(self.exec_command(f"rusage {which}").rpartition("=")[2])

    def clear_output(self) -> None:
        """Forget what the last command printed; called by PySpice before each."""
        super().clear_output()
        self._printed.clear()

    def send_char(self, message: str, ngspice_id: int) -> int:
        """Keep what ngspice prints, of both its streams, in order; its last lines for reports."""
        line = message.partition(" ")[2]
        self.last_lines.append(line)
        self._printed.append(line)
        if _ENDED.search(line) and not self._ended_because:
            self._ended_because = self._said()
        return 0

    def exec_command(self, command: str, join_lines: bool = True) -> Any:
        """Run a command; unlike PySpice's, a note on stderr does not fail it.

        Raises:
            EngineError: ngspice refused it, or has ended itself in this process.
        """
        if self._ended_because:
            raise EngineError(
                "ngspice has ended itself in this process, and can do nothing more here. It had "
                f"printed: {self._ended_because}. Go on in another process."
            )
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

    def _read_messages(self) -> Said:
        """What the last command printed, every line read."""
        return read_messages(self._printed, self._asked.kind)

    def _said(self) -> str:
        return " | ".join(line.strip() for line in self.last_lines if line.strip())

    def _raise_reported(self, command: str) -> None:
        for line in self._printed:
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
        if not any(_FAILURE.search(line) for line in self._printed):
            return
        if any(_NO_SOLUTION.search(line) for line in self._printed):
            raise ConvergenceError(
                f"ngspice found no solution in '{command}' after t = {self.last_time_second:.6g} "
                f"s: {self._said()}. Look at the nodes named there; check the netlist with "
                "`cosim check` and give initial conditions.",
                last_time_second=self.last_time_second,
            )
        raise EngineError(
            f"ngspice failed in '{command}' after t = {self.last_time_second:.6g} s: "
            f"{self._said()}. The lines are ngspice's own; the netlist is in the trace.",
            last_time_second=self.last_time_second,
        )

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
        refused = False
        filled = without_comments(netlist)
        try:
            with suppress(NgSpiceCircuitError):  # the word error; the lines are read below
                self.load_circuit(filled)
        except NameError:  # ngspice's return code
            refused = True
        if refused or any(_FAILURE.search(line) for line in self._printed):
            raise NetlistError(
                f"ngspice does not accept the netlist: {self._said()}. Correct the line named."
            )
        self._loaded_netlist, self._asked = netlist, asked
        self._loaded_said = self._read_messages()

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
