"""Test bench of the voltage reference: value, regulation, rejection, noise, start-up."""

from dataclasses import dataclass

import numpy as np
from PySpice.Spice.Netlist import Circuit

from cosim.characterise.bench import Analyse, Measured, at_rest
from cosim.circuits.fidelity import Fidelity
from cosim.circuits.voltage_reference import VoltageReferenceSpec, add_reference
from cosim.netlist.netlist import Tolerances, Transient, with_analysis
from cosim.process.process import Process

LOAD_AMPERE = 1e-3
SUPPLY_PART = 0.1
SPOT_HERTZ = 1e3
RAMP_SECOND, STOP_SECOND = 10e-6, 200e-6


@dataclass(frozen=True)
class VoltageReferenceBench:
    """Measures a reference of any fidelity."""

    fidelity: Fidelity
    spec: VoltageReferenceSpec
    process: Process | None
    supply_volt: float
    analyse: Analyse

    @property
    def netlist(self) -> str:
        """Start-up: the supply rises in 10 us."""
        ramp = f"PWL(0 0 {RAMP_SECOND!r} {self.supply_volt!r})"
        analysis = f".tran {RAMP_SECOND / 100!r} {STOP_SECOND!r} 0 {RAMP_SECOND / 200!r} uic"
        return with_analysis(self._circuit(ramp), analysis, ["v(out)", "v(vdd)"], Tolerances().line)

    @property
    def sisters(self) -> dict[str, str]:
        """The settled reference when its load draws a step and its supply falls by one; at rest,
        over the supply; the supply's ripple at the output.
        """
        low = (1 - SUPPLY_PART) * self.supply_volt
        circuit = self._circuit(
            f"PULSE({self.supply_volt!r} {low!r} 4u 50n 50n 2u 1)",
            f"PULSE(0 {LOAD_AMPERE!r} 0.5u 50n 50n 1.5u 1)",
        )
        line = Transient(8e-6, 2e-9).line
        nominal = self._circuit(repr(self.supply_volt))
        return {
            "step": with_analysis(circuit, line, ["v(out)"], Tolerances().line),
            "line": with_analysis(
                nominal,
                f".dc Vdd {low!r} {self.supply_volt!r} 0.03",
                at_rest(nominal),
                Tolerances().line,
            ),
            "response": self._response_text(f"{self.supply_volt!r} ac 1", "0"),
        }

    def measure(self) -> Measured:
        """The spec sheet; curves `start_up` (time, output), `line` (supply, output), `load`
        (current drawn, output), `rejection` and `impedance` (frequency, magnitude).
        """
        low, high = ((1 + sign * SUPPLY_PART) * self.supply_volt for sign in (-1, 1))
        line = self._run(self._circuit(repr(self.supply_volt)), f".dc Vdd {low!r} {high!r} 0.01")
        at = line["vdd"], line["out"]
        load = self._run(
            self._circuit(repr(self.supply_volt)),
            f".dc Iload {-LOAD_AMPERE!r} {LOAD_AMPERE!r} {LOAD_AMPERE / 20!r}",
        )
        current = np.linspace(-LOAD_AMPERE, LOAD_AMPERE, len(load["out"]))
        point = self._run(self._circuit(repr(self.supply_volt)), ".op")
        rejection = self._response(f"{self.supply_volt!r} ac 1", "0")
        impedance = self._response(repr(self.supply_volt), "0 ac -1")
        start = self.analyse(self.netlist)
        spot = int(np.argmin(np.abs(rejection[0] - SPOT_HERTZ)))
        with np.errstate(divide="ignore"):  # an ideal source rejects all
            decibel = float(-20 * np.log10(rejection[1][spot]))
        return Measured(
            {
                "out_volt": float(point["out"][0]),
                "line_volt_per_volt": float(np.ptp(at[1]) / (high - low)),
                "load_ohm": float(np.ptp(load["out"]) / (2 * LOAD_AMPERE)),
                "psrr_decibel": decibel,
                "start_up_second": _start_up(start["time"], start["out"]),
                "supply_ampere": float(-point["vdd#branch"][0]),
            },
            {
                "start_up": (start["time"], start["out"]),
                "line": at,
                "load": (current, load["out"]),
                "rejection": rejection,
                "impedance": impedance,
            },
        )

    def _circuit(self, supply: str, load: str = "0") -> Circuit:
        circuit = Circuit("reference_bench")
        if self.process is not None:
            self.process.apply(circuit)
        circuit.V("dd", "vdd", circuit.gnd, supply)
        add_reference(circuit, "out", self.fidelity, self.spec, self.process)
        circuit.I("load", "out", circuit.gnd, load)
        return circuit

    def _run(self, circuit: Circuit, analysis: str) -> dict[str, np.ndarray]:
        return self.analyse(with_analysis(circuit, analysis, ["v(out)", "v(vdd)", "i(vdd)"]))

    def _response(self, supply: str, load: str) -> tuple[np.ndarray, np.ndarray]:
        vectors = self.analyse(self._response_text(supply, load))
        return np.real(vectors["frequency"]), np.abs(vectors["out"])

    def _response_text(self, supply: str, load: str) -> str:
        return with_analysis(self._circuit(supply, load), ".ac dec 20 10 100meg", ["v(out)"])


def _start_up(time: np.ndarray, out: np.ndarray) -> float:
    """Seconds until the output stays within 1 % of its last value."""
    outside = np.abs(out - out[-1]) > 0.01 * out[-1]
    return float(time[outside][-1]) if outside.any() else 0.0
