"""The solver's sources that follow the time: precharge and run, the rates of beta, the noise."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PySpice.Spice.Netlist import Circuit

from cosim.circuits.dac import Converters, hold_centres
from cosim.circuits.integrator import (
    HOLD_SECOND,
    RING_SECOND,
    SWITCH_EDGE_SECOND,
)
from cosim.circuits.noise import TransientNoise, WienerNoise, add_held_noise
from cosim.diffusion.circuit.nodes import SCORE_RATE, initial_source, noise_node, wiener_node
from cosim.diffusion.scaling import RISE_SECOND, Scaling
from cosim.netlist.waveform import piecewise_linear

RATE_CORNERS = 60
"""Of the straight lines that a score's rate is made of, in equal ratios of t down to 1e-3: within
1 % of it at its kink, within 0.1 % elsewhere."""

WIENER_UNITS = 4.0
"""Amplitude of a noise input for a draw of 1 where beta is largest: four draws are 1.6 V, all that
the supply leaves."""

HALF_BETA, LATE_HALF_BETA = "half_beta", "late_half_beta"
RISE_NODE = "rise"

PRECHARGE_SWITCHES = frozenset({"vrun", "vprecharge", f"b{RISE_NODE}"})
"""Sources whose time is that of the precharge."""


def add_rise(circuit: Circuit, time_constant_second: float) -> None:
    """Drive `rise` by the part of their value at which the initial conditions are set.

    The precharge is a low-pass of one time constant T. It is driven by w + T dw/dt, so that the
    integrators follow w = u^3 (10 - 15 u + 6 u^2), u = time / `RISE_SECOND` up to 1: a rise that
    begins and ends without slope and curvature, so that the drive needs no breakpoints, each of
    which costs ten points.
    """
    u = f"min(time/{RISE_SECOND!r},1)"
    lead = 30 * time_constant_second / RISE_SECOND
    drive = f"{u}^2*({u}*(10-15*{u}+6*{u}^2)+{lead!r}*(1-{u})^2)"
    circuit.B(RISE_NODE, RISE_NODE, circuit.gnd, voltage_expression=drive)


def add_initial(circuit: Circuit, index: int, volt: float, rises: bool) -> None:
    """Set an initial condition, `volt` against the analog ground, at once or as `rise` does."""
    node = f"initial_{index}"
    if not rises:
        circuit.V(initial_source(index)[1:], node, "analog_ground", volt)
        return
    full = f"full_{node}"
    circuit.V(initial_source(index)[1:], full, "analog_ground", volt)
    risen = f"V({full},analog_ground)*V({RISE_NODE})"
    circuit.B(node, node, "analog_ground", voltage_expression=risen)


@dataclass(frozen=True)
class Schedule:
    """What is the same for every score, as the time goes on.

    Attributes:
        states: dimension of the sample.
        beta_start, beta_end: sampling beta at tau = 0 (t = 1) and at tau = 1 (t = 0).
        converters: hold beta and the noise's draws; None for exact waveforms.
        deviation: by t [n], of the noise that the network's output is divided by; None where it is
            the score itself.
        wide_steps: whether ngspice's steps are far longer than the switches' edges. Then held noise
            has no breakpoints, each of which costs several points, and the run switch has two more:
            where it has toggled, and where the integrators ring from that.
        run_early_second: before tau = 0, when the run switches close.
        late_second: what multiplies a score in the netlist is as late as its layers are.
    """

    states: int
    scaling: Scaling
    beta_start: float
    beta_end: float
    converters: Converters | None
    deviation: Callable[[np.ndarray], np.ndarray] | None = None
    wide_steps: bool = False
    run_early_second: float = 0.0
    late_second: float = 0.0

    @property
    def largest_beta(self) -> float:
        """Over the solve."""
        return max(self.beta_start, self.beta_end)

    @property
    def score_rate_node(self) -> str:
        """What multiplies the score."""
        if self.deviation is not None:
            return SCORE_RATE
        return LATE_HALF_BETA if self.late_second else HALF_BETA

    def wiener_gain(self, updates: int) -> float:
        """Of the noise inputs: sqrt(updates beta) for a draw, less the input's own amplitude."""
        return float(np.sqrt(updates * self.largest_beta)) / WIENER_UNITS

    def add_to(self, circuit: Circuit, noise: WienerNoise | None) -> None:
        """Add them; of the reverse SDE with its noise."""
        scaling = self.scaling
        begin, high = scaling.precharge_second, scaling.supply_volt
        edge = SWITCH_EDGE_SECOND / 2
        release, close = begin - HOLD_SECOND, begin - self.run_early_second
        closing = [(close - edge, 0.0), (close + edge, high)]
        if self.wide_steps:
            rings = (close + edge + RING_SECOND, high)
            closing = [closing[0], (close, high / 2), closing[1], rings]
        for node, corners in (
            ("precharge", [(0.0, high), (release - edge, high), (release + edge, 0.0)]),
            ("run", [(0.0, 0.0), *closing]),
        ):
            time, volt = np.array(corners).T
            piecewise_linear(circuit, node, circuit.gnd, time, volt)
        if self.converters is not None:
            self._add_converters(circuit, self.converters, noise)
        else:
            self._add_exact(circuit, noise)

    def _add_exact(self, circuit: Circuit, noise: WienerNoise | None) -> None:
        scaling = self.scaling
        begin, end, late = scaling.precharge_second, scaling.stop_second, self.late_second
        half_beta = np.array([self.beta_start, self.beta_start, self.beta_end]) / 2
        for node, delay in {HALF_BETA: 0.0, self.score_rate_node: late}.items():
            if node != SCORE_RATE:
                time = np.array([0.0, begin + delay, end + delay])
                piecewise_linear(circuit, node, "analog_ground", time, half_beta)
        if self.deviation is not None:
            t = np.append(np.geomspace(1.0, 1e-3, RATE_CORNERS), 0.0)
            time = begin + late + scaling.solve_second * (1 - t)
            rate = self._score_rate(self.deviation, 1 - t)
            piecewise_linear(circuit, SCORE_RATE, "analog_ground", time, rate)
        if noise is None:
            return
        tau = f"min(max(time-{begin!r},0)/{scaling.solve_second!r},1)"
        ratio = f"{self.beta_start!r}+{tau}*({self.beta_end!r}-{self.beta_start!r})"
        ratio = f"({ratio})/{self.largest_beta!r}"
        for index in range(self.states):
            circuit.B(
                wiener_node(index),
                wiener_node(index),
                "analog_ground",
                voltage_expression=(
                    f"-{WIENER_UNITS!r}*sqrt({ratio})*V({noise_node(index)},analog_ground)"
                ),
            )
        if noise.draws is not None:
            for index in range(self.states):
                draws = noise.draws[:, index]
                add_held_noise(
                    circuit, noise_node(index), "analog_ground", draws, scaling, not self.wide_steps
                )
            return
        hold = scaling.solve_second / noise.updates
        source = TransientNoise("transient_noise", scaling.volt_per_unit, hold)
        circuit.subcircuit(source)
        for index in range(self.states):
            circuit.X(f"noise_{index}", source.name, noise_node(index), "analog_ground")

    def _score_rate(
        self, deviation: Callable[[np.ndarray], np.ndarray], tau: np.ndarray
    ) -> np.ndarray:
        return self._beta(tau) / (4 * deviation(1 - tau))

    def _beta(self, tau: np.ndarray) -> np.ndarray:
        return self.beta_start + tau * (self.beta_end - self.beta_start)

    def _add_converters(
        self, circuit: Circuit, converters: Converters, noise: WienerNoise | None
    ) -> None:
        held = hold_centres(converters.updates)
        beta = self._beta(held)
        late = np.maximum(held - self.late_second / self.scaling.solve_second, 0.0)
        banks = {"rates": {HALF_BETA: beta / 2}}
        if self.deviation is not None:
            banks["rates"][SCORE_RATE] = self._score_rate(self.deviation, late)
        elif self.late_second:
            banks["rates"][LATE_HALF_BETA] = self._beta(late) / 2
        if noise is not None:
            assert noise.draws is not None  # a run with converters has draws
            largest_volt = self.scaling.volt_per_unit * WIENER_UNITS
            amplitude = -largest_volt * np.sqrt(beta / self.largest_beta)
            banks["noise"] = {
                wiener_node(index): amplitude * noise.draws[:, index]
                for index in range(self.states)
            }
        for name, volts in banks.items():
            bank = converters.hold(name, volts, self.scaling)
            circuit.subcircuit(bank)
            circuit.X(name, name, *volts, "analog_ground", "vdd", circuit.gnd)
