"""Test bench of the op-amp: its spec sheet, measured in ngspice beside the design's values.

Open loop: an inductor of 1 GH closes the loop at DC alone, a capacitor of 1 MF feeds the
inverting input at every other frequency; a source in the loop holds input and output at different
levels, for their ranges. Closed loop: follower for steps and offset.
Source: Allen and Holberg, CMOS Analog Circuit Design, 3rd ed., section 6.6 (measurement).
"""

from dataclasses import dataclass

import numpy as np
from PySpice.Spice.Netlist import Circuit, SubCircuit

from cosim.characterise.bench import Analyse, Measured, at_rest
from cosim.circuits.opamp import OpAmpSpec
from cosim.netlist.netlist import Tolerances, Transient, with_analysis
from cosim.process.process import Process

LOAD_OHM = 50e3
STEP_VOLT, SMALL_STEP_VOLT = 0.8, 0.05
STEP_SECOND = 1.5e-6
GUARDED_SECOND = 1e-6
RANGE_LOSS_DECIBEL, RANGE_LOSS_PART = 10.0, 0.1
"""Of gain and of bandwidth, at the ends of the input and output ranges."""
RANGE_BISECTIONS = 7
SPOT_HERTZ = 100e3
LOW_HERTZ = 10.0


@dataclass(frozen=True)
class OpAmpBench:
    """Measures an op-amp of any fidelity."""

    op_amp: SubCircuit
    process: Process
    spec: OpAmpSpec
    analyse: Analyse
    load_ohm: float = LOAD_OHM

    def measure(self) -> Measured:
        """The whole spec sheet; curves `open_loop` (frequency, complex gain), `small_step` and
        `large_step` (time, output of the follower).

        Raises:
            NetlistError, ConvergenceError, EngineError: from ngspice.
        """
        frequency, gain = self._open_loop("differential")
        magnitude = np.abs(gain)
        crossing = int(np.argmax(magnitude < 1))
        phase = np.degrees(np.unwrap(np.angle(gain)))
        low = int(np.argmin(np.abs(frequency - LOW_HERTZ)))
        with np.errstate(divide="ignore"):  # a macro model has no supply or common-mode gain
            rejection = {
                what: 20 * np.log10(magnitude[low] / np.abs(self._open_loop(what)[1][low]))
                for what in ("common", "supply")
            }
        rise, fall = self._slew()
        offset, supply = self._operating_point()
        values = {
            "dc_gain_decibel": float(20 * np.log10(magnitude[0])),
            "gbw_hertz": _crossing(frequency, magnitude, crossing),
            "phase_margin_degree": float(180 + phase[crossing] - phase[0]),
            "slew_rise_volt_per_second": rise,
            "slew_fall_volt_per_second": fall,
            "settling_second": self._settling(),
            **self._ranges(),
            "offset_volt": offset,
            "cmrr_decibel": float(rejection["common"]),
            "psrr_decibel": float(rejection["supply"]),
            "input_noise_volt_per_root_hertz": self._noise(),
            "supply_ampere": supply,
        }
        return Measured(
            values,
            {
                "open_loop": (frequency, gain),
                "small_step": self.step(SMALL_STEP_VOLT, STEP_SECOND),
                "large_step": self.step(STEP_VOLT, STEP_SECOND),
            },
        )

    @property
    def netlist(self) -> str:
        """The open-loop response."""
        return self._open_loop_text("differential")

    @property
    def sisters(self) -> dict[str, str]:
        """The follower: steps with its load, whose ringing shows the phase margin; the input's
        whole range. Currents are recorded at rest: at edges they jump, and depend on the steps.
        """
        follower = self._follower("0")
        sweep = f".dc Vin 0 {self.spec.supply_volt!r} 0.05"
        return {
            "small_step": self._step_text(SMALL_STEP_VOLT, GUARDED_SECOND),
            "large_step": self._step_text(STEP_VOLT, GUARDED_SECOND),
            "follower": with_analysis(follower, sweep, at_rest(follower), Tolerances().line),
        }

    def step(self, volt: float, stop_second: float) -> tuple[np.ndarray, np.ndarray]:
        """Time [n] and output of the follower [n] for a step up and, at half time, down again."""
        vectors = self.analyse(self._step_text(volt, stop_second))
        return vectors["time"], vectors["out"]

    def _step_text(self, volt: float, stop_second: float) -> str:
        ground = self._ground
        low, high = ground - volt / 2, ground + volt / 2
        circuit = self._follower(
            f"PULSE({low!r} {high!r} 50n 5n 5n {stop_second / 2!r} {2 * stop_second!r})"
        )
        return with_analysis(
            circuit,
            Transient(stop_second, stop_second / 2000).line,
            ["v(out)"],
            Tolerances().line,
        )

    # -- benches ----------------------------------------------------------------------------

    @property
    def _ground(self) -> float:
        return self.spec.supply_volt / 2

    def _circuit(self, supply: str = "") -> Circuit:
        circuit = Circuit("op_amp_bench")
        self.process.apply(circuit)
        circuit.subcircuit(self.op_amp)
        circuit.V("dd", "vdd", circuit.gnd, f"{self.spec.supply_volt!r} {supply}".strip())
        circuit.V("ground", "analog_ground", circuit.gnd, self._ground)
        circuit.C("load", "out", circuit.gnd, self.spec.load_farad)
        circuit.R("load", "out", "analog_ground", self.load_ohm)
        return circuit

    def _add(self, circuit: Circuit, plus: str, minus: str) -> None:
        circuit.X("device", self.op_amp.name, plus, minus, "out", "vdd", circuit.gnd)

    def _follower(self, source: str) -> Circuit:
        circuit = self._circuit()
        circuit.V("in", "plus", circuit.gnd, source)
        self._add(circuit, "plus", "out")
        return circuit

    def _run(self, circuit: Circuit, analysis: str) -> dict[str, np.ndarray]:
        return self.analyse(f"{circuit}{analysis}\n.end\n")

    def _open_loop(self, stimulus: str) -> tuple[np.ndarray, np.ndarray]:
        """Gain from a differential, common-mode or supply stimulus of 1 V to the output."""
        vectors = self.analyse(self._open_loop_text(stimulus))
        return np.real(vectors["frequency"]), vectors["out"]

    def _open_loop_text(self, stimulus: str) -> str:
        circuit = self._circuit(supply="ac 1" if stimulus == "supply" else "")
        plus = "ac 1" if stimulus in ("differential", "common") else ""
        circuit.V("in", "plus", circuit.gnd, f"{self._ground!r} {plus}".strip())
        circuit.V("minus", "drive", circuit.gnd, "0 ac 1" if stimulus == "common" else "0")
        circuit.L("loop", "out", "minus", 1e9)
        circuit.C("loop", "drive", "minus", 1e6)
        self._add(circuit, "plus", "minus")
        return with_analysis(circuit, ".ac dec 40 1 1g", ["v(out)"])

    def _slew(self) -> tuple[float, float]:
        """Steepest slope between 20 % and 80 % of a large step, up and down."""
        time, out = self.step(STEP_VOLT, STEP_SECOND)
        middle = np.abs(out - self._ground) < 0.3 * STEP_VOLT
        slope = np.gradient(out, time)[middle]
        return float(slope.max()), float(-slope.min())

    def _settling(self) -> float:
        """From the edge until a small step stays within 0.1 % of its end value."""
        time, out = self.step(SMALL_STEP_VOLT, 4e-6)
        up = time < 2e-6
        time, out = time[up], out[up]
        outside = np.abs(out - out[-1]) > 1e-3 * SMALL_STEP_VOLT
        return float(time[np.flatnonzero(outside)[-1]] - 50e-9)

    def _ranges(self) -> dict[str, float]:
        """Input levels with the output at mid-rail, and output levels with the input there, between
        which gain and bandwidth hold; by bisection between mid-rail and each rail.
        """
        middle, half = self._ground, self._ground / 2**RANGE_BISECTIONS
        held = {(what, end): middle for what in ("output", "input") for end in ("low", "high")}
        for bisection in reversed(range(RANGE_BISECTIONS)):
            step = half * 2**bisection
            tried = {
                key: level + (step if key[1] == "high" else -step) for key, level in held.items()
            }
            held |= {key: tried[key] for key in self._holding(tried)}
        return {f"{what}_{end}_volt": level for (what, end), level in held.items()}

    def _holding(self, levels: dict[tuple[str, str], float]) -> list[tuple[str, str]]:
        """At which of these levels of an input or output (keys: what, end) gain and bandwidth are
        near those with both at mid-rail; an op-amp for each.
        """
        circuit, middle = self._circuit(), self._ground
        at = {"middle": (middle, middle)} | {
            f"{what}_{end}": (level, middle) if what == "input" else (middle, level)
            for (what, end), level in levels.items()
        }
        for name, (before, after) in at.items():
            plus, minus, out, shifted = (f"{node}_{name}" for node in ("p", "m", "o", "s"))
            circuit.V(plus, plus, circuit.gnd, f"{before!r} ac 1")
            circuit.V(shifted, shifted, out, before - after)
            circuit.L(name, shifted, minus, 1e9)
            circuit.C(name, minus, circuit.gnd, 1e6)
            circuit.X(name, self.op_amp.name, plus, minus, out, "vdd", circuit.gnd)
            circuit.C(f"load_{name}", out, circuit.gnd, self.spec.load_farad)
            circuit.R(f"load_{name}", out, "analog_ground", self.load_ohm)
        outputs = " ".join(f"v(o_{name})" for name in at)
        # Of two points ngspice would give the first alone.
        analysis = f".ac lin 3 {LOW_HERTZ!r} {self.spec.gbw_hertz / 10!r}"
        vectors = self._run(circuit, f".save {outputs}\n{analysis}")
        gains = {name: np.abs(vectors[f"o_{name}"])[[0, -1]] for name in at}
        least = gains["middle"] * (10 ** (-RANGE_LOSS_DECIBEL / 20), 1 - RANGE_LOSS_PART)
        return [key for key in levels if np.all(gains["_".join(key)] >= least)]

    def _operating_point(self) -> tuple[float, float]:
        """Offset of the follower in V, and supply current in A."""
        vectors = self._run(self._follower(repr(self._ground)), ".save v(out) i(vdd)\n.op")
        return float(vectors["out"][0] - self._ground), float(-vectors["vdd#branch"][0])

    def _noise(self) -> float:
        """Input-referred density at the spot frequency, V/sqrt(Hz)."""
        circuit = self._follower(f"{self._ground!r} ac 1")
        vectors = self._run(circuit, f".noise v(out) Vin dec 1 {SPOT_HERTZ!r} {10 * SPOT_HERTZ!r}")
        return float(np.real(vectors["inoise_spectrum"][0]))


def _crossing(frequency: np.ndarray, magnitude: np.ndarray, after: int) -> float:
    """Frequency at which the magnitude falls through 1, by interpolation of logarithms."""
    pair = slice(after - 1, after + 1)
    logs = np.log(magnitude[pair])
    return float(np.exp(np.interp(0.0, logs[::-1], np.log(frequency[pair])[::-1])))
